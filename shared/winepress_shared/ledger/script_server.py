"""The connection to Redis and the Lua scripts it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Protocol, cast

import redis

from winepress_shared.broker_url import BrokerUrl
from winepress_shared.causes import cause_of, certificate_fault, disk_fault, trust_hint
from winepress_shared.errors import (
    BrokerUnreachable,
    DamagedRecord,
    InvalidJob,
    QueueFull,
)
from winepress_shared.ledger.confirmation import ask_for_confirmation, check_confirmed
from winepress_shared.ledger.connections import ANSWER_TIMEOUT_S, MOST_CONNECTIONS, new_client
from winepress_shared.outage_log import Contact
from winepress_shared.per_process import PerProcess
from winepress_shared.sentinels import NoPrimary, PrimaryPool
from winepress_shared.settings import Settings

_BAD_ARGUMENT = "refused argument"  #: our scripts' error, raised before any write
_NO_DATABASE = "DB index is out of range"
_NOT_ALLOWED = "ACL failure in script"  #: error of a script that may not run a command
_OTHER_TYPE = "WRONGTYPE"  #: error for a key of the wrong type
_POOL_EXHAUSTED = "No connection available"
_SERVER_EXHAUSTED = "max number of clients"
_IS_IT_RUNNING = (
    "Is the farm running? `winepress up` starts one on this machine and says what to export in "
    "this shell; WINEPRESS_CONFIG or WINEPRESS_BROKER_URL name another"
)
_ASK_SENTINELS = (
    "While they elect another primary, try again in some seconds; else look at the Sentinels, at "
    "their addresses and the name in broker_url, and at sentinel_password"
)
#: Errors of a server that temporarily accepts no writes (disk full, failover, busy script).
_CANNOT_WRITE = (
    "BUSY ",
    "CLUSTERDOWN",
    "MASTERDOWN",
    "MISCONF",
    "NOMASTERLINK",
    "NOREPLICAS",
    "READONLY",
    "UNBLOCKED",
)


class _Script(Protocol):
    script: str
    sha: str

    def __call__(self, keys: list[str], args: list[Any]) -> Any: ...


@dataclass(frozen=True)
class _Opened:
    """The client and scripts of one process."""

    client: redis.Redis
    scripts: dict[str, _Script]


class ScriptServer:
    """One Redis with every script of ``lua/`` by name; safe to use across a fork."""

    def __init__(self, settings: Settings, prefix: str) -> None:
        self._url = BrokerUrl.of(settings.broker_url)
        self._settings = settings
        self._replicas = 1 if settings.waits_for_replica else 0
        self._prefix = prefix
        self.contact = Contact("broker")
        self._mine = PerProcess(self._open)
        self._mine.get()  # does not connect, but checks the URL

    def _open(self) -> _Opened:
        client = self.new_client()
        scripts = {name: client.register_script(text) for name, text in script_texts().items()}
        return _Opened(client, cast("dict[str, _Script]", scripts))

    def new_client(self) -> redis.Redis:
        """A client with its own connections, opened at its first command."""
        return new_client(self._settings, self._url)

    @property
    def client(self) -> redis.Redis:
        """The client of this process, for plain commands."""
        return self._mine.get().client

    def close(self) -> None:
        """Close the connections of this process; they are reopened when needed.

        A connection in use by another thread is closed when that thread is done.
        """
        mine = self._mine.pop()
        if mine is not None:
            mine.client.connection_pool.disconnect(inuse_connections=False)

    def run(self, script: str, *args: str | float) -> Any:
        """Run ``lua/SCRIPT.lua`` on the server."""
        with self.reaching():
            return self._mine.get().scripts[script](keys=[self._prefix], args=list(args))

    def run_together(
        self, *calls: tuple[str | float, ...], at_once: bool = False, on_disk: bool = False
    ) -> list[Any]:
        """Run several scripts, each given as name and arguments, in order in one round trip.

        ``at_once`` has nothing of others run between them, so that a server that syncs every write
        syncs once for all. With ``on_disk`` they are answered when the disk of the server has what
        was written to it until then; else this raises BrokerUnreachable: see `confirmation`. Like
        any script, all of them may run twice. Raises the first error among the answers.
        """
        with self.reaching():
            found = self._send_together(calls, at_once, on_disk)
            if any(isinstance(one, redis.exceptions.NoScriptError) for one in found):
                for name, *_ in calls:
                    self.client.script_load(self._mine.get().scripts[str(name)].script)
                found = self._send_together(calls, at_once, on_disk)
            for one in found[: len(calls)]:
                if isinstance(one, Exception):
                    raise one
            if on_disk:
                answers = found[len(calls) + 1 :]  # after that of the write
                check_confirmed(answers, self._url.shown, self._replicas)
        return found[: len(calls)]

    def _send_together(
        self, calls: Sequence[tuple[str | float, ...]], at_once: bool, on_disk: bool
    ) -> list[Any]:
        # In a pipeline, redis-py's script object would first check whether the script is loaded.
        mine = self._mine.get()
        pipe = mine.client.pipeline(transaction=at_once and (len(calls) > 1 or on_disk))
        for name, *args in calls:
            pipe.evalsha(mine.scripts[str(name)].sha, 1, self._prefix, *map(str, args))
        if on_disk:
            ask_for_confirmation(pipe, self._prefix, self._replicas)
        return pipe.execute(raise_on_error=False)

    def name(self) -> tuple[str, str]:
        """What the server calls itself, such as ``valkey``, and its version."""
        with self.reaching():
            found = self.client.execute_command("HELLO")  # type: ignore[no-untyped-call]
        facts = (
            found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
        )
        return str(facts.get("server", "")), str(facts.get("version", ""))

    @property
    def primary(self) -> str | None:
        """Address of the primary, where Sentinels were asked for it and have named one."""
        pool = self.client.connection_pool
        address = pool.master_address if isinstance(pool, PrimaryPool) else None
        return f"{address[0]}:{address[1]}" if address else None

    def configured(self, name: str) -> str | None:
        """A setting of the server; None if this key may not see it."""
        with self.reaching():
            try:
                return cast("dict[str, str]", self.client.config_get(name)).get(name)
            except redis.exceptions.ResponseError:  # not allowed, or no such command
                return None

    def hashes(self, keys: Sequence[str]) -> list[dict[str, str]]:
        """The hash of each key; empty if the key is missing, damaged if it is not a hash."""
        with self.reaching():
            pipe = self.client.pipeline(transaction=False)
            for key in keys:
                pipe.hgetall(key)
            found = pipe.execute(raise_on_error=False)
            for place, one in enumerate(found):
                if isinstance(one, Exception):
                    if not str(one).startswith(_OTHER_TYPE):
                        raise one
                    found[place] = {"": _OTHER_TYPE}  # no field of a job: read as damaged
        return found

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Turn errors of the server into ours; messages never show the URL's password."""
        with self.contact:
            try:
                yield
            except redis.exceptions.OutOfMemoryError:
                raise QueueFull("the broker's memory is full", hint="Try again later") from None
            except redis.exceptions.AuthenticationError:
                raise BrokerUnreachable(
                    "the broker refuses these credentials", value=self._url.shown
                ) from None
            except redis.exceptions.NoPermissionError:
                raise self._not_allowed() from None
            except redis.exceptions.InvalidResponse:
                raise BrokerUnreachable(
                    "the server at this address is not Redis", value=self._url.shown
                ) from None
            except redis.exceptions.NoScriptError:
                # The script was loaded, and gone again before it ran.
                raise BrokerUnreachable(
                    "the broker was started again at this moment", value=self._url.shown
                ) from None
            except redis.exceptions.ResponseError as error:
                raise self._meant(error) from None
            except redis.exceptions.TimeoutError:
                answer_s = self._url.options.get("socket_timeout", ANSWER_TIMEOUT_S)
                raise BrokerUnreachable(
                    f"the broker did not answer within {answer_s:.0f} s",
                    value=self._url.shown,
                    hint="It is busy or stopped, or another program listens there; try again, or "
                    "check the server",
                ) from None
            except (redis.exceptions.ConnectionError, OSError) as error:
                self._raise_limit(str(error))
                fault = certificate_fault(error)
                if fault:
                    raise BrokerUnreachable(
                        f"the broker's certificate {fault}",
                        value=self._url.shown,
                        hint=trust_hint("broker_ca"),
                    ) from None
                raise BrokerUnreachable(
                    f"the broker does not answer ({cause_of(error)})",
                    value=self._url.shown,
                    hint=_ASK_SENTINELS if isinstance(error, NoPrimary) else _IS_IT_RUNNING,
                ) from None

    def _meant(self, error: redis.exceptions.ResponseError) -> Exception:
        """Our error for an answer of the server; ``error`` itself if it is a fault of a script."""
        words, shown = str(error), self._url.shown
        if _NOT_ALLOWED in words:
            return self._not_allowed()
        if _NO_DATABASE in words:
            return BrokerUnreachable("the broker has no database with this number", value=shown)
        if _OTHER_TYPE in words:
            return DamagedRecord("a record in the broker is damaged: its key has another type")
        if _BAD_ARGUMENT in words:
            field = words.partition(_BAD_ARGUMENT)[2].split(" script:")[0].strip()
            return InvalidJob("the ledger refuses this value", field=field[:40])
        is_unable = redis.exceptions.ReadOnlyError | redis.exceptions.ClusterDownError
        if words.startswith(_CANNOT_WRITE) or isinstance(error, is_unable):
            problem = f"the broker accepts no writes at the moment{disk_fault(words)}"
            return BrokerUnreachable(problem, value=shown)
        return error

    def _not_allowed(self) -> BrokerUnreachable:
        return BrokerUnreachable(
            "the broker does not allow this with these credentials",
            value=self._url.shown,
            hint="They belong to another role or farm; use the operator's settings of this farm",
        )

    def _raise_limit(self, reason: str) -> None:
        """Raise BrokerUnreachable if the reason is a limit of connections, not an outage."""
        if _SERVER_EXHAUSTED in reason:
            raise BrokerUnreachable(
                "the broker allows no more connections",
                value=self._url.shown,
                hint="Raise its `maxclients`, or use it from fewer programs at a time",
            ) from None
        if _POOL_EXHAUSTED in reason:
            most = self._url.options.get("max_connections", MOST_CONNECTIONS)
            raise BrokerUnreachable(
                f"all {most} connections of this client to the broker are in use",
                value=self._url.shown,
                hint="Raise max_connections in broker_url, like redis://HOST/0?max_connections=200,"
                " or use the client from fewer threads at a time",
            ) from None


@cache
def script_texts() -> Mapping[str, str]:
    """Name → text of every script, including the shared prelude; read once in a process."""
    folder = resources.files(__package__).joinpath("lua")
    parts = sorted(folder.joinpath("prelude").iterdir(), key=lambda part: part.name)
    prelude = "".join(part.read_text("utf-8") for part in parts)
    found: dict[str, str] = {}
    for entry in folder.iterdir():
        if entry.name.endswith(".lua"):
            # The first line holds the script's flags, so it stays first.
            flags, body = entry.read_text("utf-8").split("\n", 1)
            found[entry.name.removesuffix(".lua")] = f"{flags}\n{prelude}{body}"
    return found
