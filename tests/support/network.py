"""Network namespaces on one bridge, with links that can be cut and slowed; needs root and iproute2.

Nothing in them reaches another machine: the bridge is in a namespace of its own too.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

_OURS = Path("/proc/self/ns/net")
_CLONE_NEWNET = 0x40000000
_NET = "198.18.77"  #: of the range for tests of networks, which nobody routes

#: Whether namespaces can be made here.
IS_POSSIBLE = os.geteuid() == 0 and all(map(shutil.which, ("ip", "tc")))


class Network:
    """A namespace for each name while inside, each with an address and a link to all others."""

    def __init__(self, *names: str) -> None:
        self._prefix = f"wp{secrets.token_hex(4)}-"
        self._names = names
        self.addresses = {name: f"{_NET}.{number}" for number, name in enumerate(names, 1)}

    def __enter__(self) -> Self:
        try:
            self._make("hub")
            self._in("hub", "ip", "link", "add", "hub", "type", "bridge")
            self._in("hub", "ip", "link", "set", "hub", "up")
            for name in self._names:
                self._make(name)
                self._connect(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in (*self._names, "hub"):
            with suppress(subprocess.CalledProcessError):
                _run("ip", "netns", "delete", self._prefix + name)

    def _make(self, name: str) -> None:
        _run("ip", "netns", "add", self._prefix + name)
        self._in(name, "ip", "link", "set", "lo", "up")

    def _connect(self, name: str) -> None:
        """Lay a link whose ends are ``eth0`` there, and a port of this name at the bridge."""
        there = ("peer", "name", "eth0", "netns", self._prefix + name)
        self._in("hub", "ip", "link", "add", name, "type", "veth", *there)
        self._in("hub", "ip", "link", "set", name, "master", "hub", "up")
        self._in(name, "ip", "address", "add", f"{self.addresses[name]}/24", "dev", "eth0")
        self._in(name, "ip", "link", "set", "eth0", "up")

    @contextmanager
    def entered(self, name: str) -> Iterator[None]:
        """Have this thread, and what it starts, be in a namespace while inside."""
        ours = os.open(_OURS, os.O_RDONLY)
        try:
            _enter(Path("/run/netns") / (self._prefix + name))
            try:
                yield
            finally:
                _set(ours)
        finally:
            os.close(ours)

    def cut(self, name: str) -> None:
        """Pull its plug: nobody is told, packets are lost."""
        self._in("hub", "ip", "link", "set", name, "down")

    def slow(self, name: str, rate: str) -> None:
        """Let so much pass in each direction: ``256kbit``."""
        limit = ("tbf", "rate", rate, "burst", "16kb", "latency", "1s")
        self._in("hub", "tc", "qdisc", "replace", "dev", name, "root", *limit)
        self._in(name, "tc", "qdisc", "replace", "dev", "eth0", "root", *limit)

    def heal(self, name: str) -> None:
        """Undo both."""
        self._in("hub", "ip", "link", "set", name, "up")
        for place, end in (("hub", name), (name, "eth0")):
            with suppress(subprocess.CalledProcessError):  # it was not slow
                self._in(place, "tc", "qdisc", "delete", "dev", end, "root")

    def _in(self, name: str, *command: str) -> None:
        _run("ip", "netns", "exec", self._prefix + name, *command)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _enter(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        _set(handle)
    finally:
        os.close(handle)


def _set(handle: int) -> None:
    """`os.setns` is there from Python 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter the network namespace")
