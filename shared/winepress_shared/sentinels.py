"""Finds the primary of a group of servers by asking its Sentinels.

Sentinels watch a primary and its replicas. When enough of them agree that the primary is down, they
promote a replica; so its address is asked for anew for each connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import redis
from redis.sentinel import (
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from winepress_shared.broker_url import BrokerUrl, SentinelGroup
from winepress_shared.causes import ToldCause, cause_of
from winepress_shared.settings import Settings

_ANSWER_S = 2.0  #: for connecting and for an answer: others can be asked
_UNKNOWN = "No such master"  #: a Sentinel's error for a name that it does not know
_NO_COMMAND = "unknown command"  #: error of a server that is no Sentinel
_MOST_NAMES = 5  #: shown of those that a Sentinel knows


class NoPrimary(redis.exceptions.ConnectionError, ToldCause):
    """No Sentinel names a primary that is up; the text says of each why."""


class _Fault(Exception):
    """Why a Sentinel that answered is of no use, in a few words."""


class Sentinels:
    """The Sentinels of a group; safe for threads, and across a fork.

    Each question has a connection of its own, so none is left open while nothing fails.
    """

    def __init__(self, group: SentinelGroup, options: dict[str, Any]) -> None:
        """``options`` are those of `options_of`."""
        self._group = group
        self._options = options
        self._first = 0  #: who answered last is asked first

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Host and port of the primary, under the name that redis-py calls; raises NoPrimary."""
        faults: dict[str, list[str]] = {}
        causes: list[Exception] = []
        for number, (host, port) in self._in_turn():
            try:
                found = self._ask(host, port, service_name)
            except (redis.exceptions.RedisError, OSError, _Fault) as error:
                faults.setdefault(_words(error), []).append(f"{host}:{port}")
                causes.append(error)
            else:
                self._first = number
                return found
        told = "; ".join(f"{', '.join(places)}: {fault}" for fault, places in faults.items())
        raise NoPrimary(
            f"no Sentinel names a primary of {service_name} that is up: {told}"
        ) from causes[0]

    def close(self) -> None:
        """Nothing is open."""

    def _in_turn(self) -> Iterator[tuple[int, tuple[str, int]]]:
        places = list(enumerate(self._group.sentinels))
        yield from (*places[self._first :], *places[: self._first])

    def _ask(self, host: str, port: int, name: str) -> tuple[str, int]:
        with closing(redis.Redis(host.strip("[]"), port, **self._options)) as sentinel:
            try:
                state = cast("dict[str, Any]", sentinel.sentinel_master(name))
            except redis.exceptions.ResponseError as error:
                if _UNKNOWN not in str(error):
                    raise
                known = sorted(cast("dict[str, Any]", sentinel.sentinel_masters()))
                raise _Fault(f"it knows no such name, only {_listed(known)}") from None
        place = str(state["ip"]), int(state["port"])
        if state["is_sdown"] or state["is_odown"] or not state["is_master"]:
            raise _Fault(f"{place[0]}:{place[1]} is down, and no other is elected yet")
        return place


class PrimaryPool(SentinelConnectionPool, redis.BlockingConnectionPool):
    """Connections to whoever is the primary; redis-py closes those that wait when that changes."""

    def owns_connection(self, connection: Any) -> int:
        """Whether it is of this process.

        redis-py would ask too whether it is to the primary, and put nothing back in place of one
        that is not, but keep it: one for each try in an outage.
        """
        return bool(connection.pid == self.pid)

    def release(self, connection: Any) -> None:
        """Take a connection back; it is closed if the primary has changed meanwhile."""
        if (connection.host, connection.port) != self.master_address:
            connection.disconnect()
        super().release(connection)  # type: ignore[no-untyped-call]


def options_of(settings: Settings, url: BrokerUrl) -> dict[str, Any]:
    """Options of redis-py for connections to the Sentinels themselves."""
    verification = url.verification(settings.broker_ca)
    password = settings.sentinel_password
    return {
        "username": settings.sentinel_user,
        "password": password.get_secret_value() if password else None,
        "socket_connect_timeout": _ANSWER_S,
        "socket_timeout": _ANSWER_S,
        "retry": None,  # the next one is asked instead
        "decode_responses": True,
        "ssl": bool(verification),
        **verification,
    }


def pool_of_primary(settings: Settings, url: BrokerUrl, **options: Any) -> PrimaryPool:
    """Connections to the primary of the group in ``url``; ``options`` are those of redis-py."""
    assert url.group is not None
    parts = urlsplit(url.address)
    is_tls = bool(url.verification(settings.broker_ca))
    return PrimaryPool(  # type: ignore[no-untyped-call]
        url.group.name,
        Sentinels(url.group, options_of(settings, url)),
        connection_class=SentinelManagedSSLConnection if is_tls else SentinelManagedConnection,
        username=unquote(parts.username or "") or None,
        password=unquote(parts.password or "") or None,
        db=int(parts.path.strip("/")),
        **options,
    )


def _words(error: Exception) -> str:
    if isinstance(error, _Fault):
        return str(error)
    if isinstance(error, redis.exceptions.AuthenticationError):
        return "it refuses the password; that of the Sentinels is the setting sentinel_password"
    if isinstance(error, redis.exceptions.NoPermissionError):
        return "its user may not ask for SENTINEL MASTER"
    if isinstance(error, redis.exceptions.ResponseError) and _NO_COMMAND in str(error):
        return "it is no Sentinel"
    return cause_of(error)


def _listed(names: list[str]) -> str:
    more = ["…"] if len(names) > _MOST_NAMES else []
    return ", ".join([*names[:_MOST_NAMES], *more]) or "none"
