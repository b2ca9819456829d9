"""The connection to Redis and the Lua scripts it runs for us."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any, Protocol, cast

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from winepress_shared.broker_url import BrokerUrl
from winepress_shared.causes import cause_of, certificate_fault, trust_hint
from winepress_shared.errors import (
    BrokerUnreachable,
    DamagedRecord,
    InvalidJob,
    QueueFull,
    WrongUsage,
)
from winepress_shared.per_process import PerProcess
from winepress_shared.settings import Settings

_CONNECT_TIMEOUT_S = 5.0
#: Longest a command may take, and so how soon a server that accepts and never answers is given
#: up; longer than `event_log.BLOCK_MS`. Such a command is not sent again, as one is whose
#: connection broke.
_ANSWER_TIMEOUT_S = 8.0
_HEALTH_CHECK_S = 25
_CONNECTIONS = 32  #: of one server in one process, unless the URL says otherwise
_RETRY_S = 0.1  #: before the one further try of a command whose connection broke
_BAD_ARGUMENT = "refused argument"  #: how a script of ours says so, before it writes
_NO_DATABASE = "DB index is out of range"
_NOT_ALLOWED = "ACL failure in script"  #: how a script tells of a command it may not run
_OTHER_TYPE = "WRONGTYPE"  #: how a server says that a key is not what the command is for
_POOL_EXHAUSTED = "No connection available"
_SERVER_EXHAUSTED = "max number of clients"
#: How a server says that it cannot be written to just now (disk full, failing over, in a script).
_CANNOT_WRITE = (
    "BUSY ",
    "CLUSTERDOWN",
    "MASTERDOWN",
    "MISCONF",
    "NOMASTERLINK",
    "NOREPLICAS",
    "READONLY",
)


class _Script(Protocol):
    script: str
    sha: str

    def __call__(self, keys: list[str], args: list[Any]) -> Any: ...


@dataclass(frozen=True)
class _Opened:
    """What one process uses."""

    client: redis.Redis
    scripts: dict[str, _Script]


class ScriptServer:
    """One Redis, with every script of ``lua/`` behind its name; may be used across a fork."""

    def __init__(self, settings: Settings, prefix: str) -> None:
        self._url = BrokerUrl.of(settings.broker_url)
        self._verification = self._url.verification(settings.broker_ca)
        self._prefix = prefix
        self._mine = PerProcess(self._open)
        self._mine.get()  # reaches nothing, and finds out what is wrong with the URL

    def _open(self) -> _Opened:
        client = self.new_client()
        scripts = {name: client.register_script(text) for name, text in script_texts().items()}
        return _Opened(client, cast("dict[str, _Script]", scripts))

    def new_client(self) -> redis.Redis:
        """A client with connections of its own; opens none before its first command."""
        options: dict[str, Any] = {
            "socket_connect_timeout": _CONNECT_TIMEOUT_S,
            "socket_timeout": _ANSWER_TIMEOUT_S,
            "socket_keepalive": True,
            "health_check_interval": _HEALTH_CHECK_S,
            "max_connections": _CONNECTIONS,
            **self._verification,
            **self._url.options,
        }
        try:
            pool = redis.BlockingConnectionPool.from_url(
                self._url.address,
                decode_responses=True,
                timeout=options["socket_timeout"],  # to wait for a connection that is in use
                # Every script may be run twice; longer waits are the caller's to decide.
                retry=Retry(ConstantBackoff(_RETRY_S), 1, (redis.exceptions.ConnectionError,)),
                **options,
            )
        except ValueError:  # its text may repeat a part of a password
            raise WrongUsage("not the URL of a broker", field="broker_url") from None
        return redis.Redis(connection_pool=pool)

    @property
    def client(self) -> redis.Redis:
        """The client of this process, for plain commands."""
        return self._mine.get().client

    def close(self) -> None:
        """Give the connections of this process back; they are opened anew when needed.

        One that another thread uses at this moment is given back when it is done.
        """
        mine = self._mine.pop()
        if mine is not None:
            mine.client.connection_pool.disconnect(inuse_connections=False)

    def run(self, script: str, *args: str | float) -> Any:
        """Run ``lua/SCRIPT.lua`` on the server."""
        with self.reaching():
            return self._mine.get().scripts[script](keys=[self._prefix], args=list(args))

    def run_together(self, *calls: tuple[str | float, ...]) -> list[Any]:
        """Run several scripts, each its name and arguments, in order and in one round trip.

        All of them may be run twice, like any script. Raises the first error that one answers.
        """
        with self.reaching():
            found = self._send_together(calls)
            if any(isinstance(one, redis.exceptions.NoScriptError) for one in found):
                for name, *_ in calls:
                    self.client.script_load(self._mine.get().scripts[str(name)].script)
                found = self._send_together(calls)
            for one in found:
                if isinstance(one, Exception):
                    raise one
        return found

    def _send_together(self, calls: Sequence[tuple[str | float, ...]]) -> list[Any]:
        # Called through a pipeline, a script of redis-py would ask first whether it is loaded.
        mine = self._mine.get()
        pipe = mine.client.pipeline(transaction=False)
        for name, *args in calls:
            pipe.evalsha(mine.scripts[str(name)].sha, 1, self._prefix, *map(str, args))
        return pipe.execute(raise_on_error=False)

    def hashes(self, keys: Sequence[str]) -> list[dict[str, str]]:
        """What each key holds, nothing where there is none; no field of ours in what is no hash."""
        with self.reaching():
            pipe = self.client.pipeline(transaction=False)
            for key in keys:
                pipe.hgetall(key)
            found = pipe.execute(raise_on_error=False)
            for place, one in enumerate(found):
                if isinstance(one, Exception):
                    if not str(one).startswith(_OTHER_TYPE):
                        raise one
                    found[place] = {"": _OTHER_TYPE}
        return found

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Turn a silent or refusing server into one sentence; never shows the URL's password."""
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
                "what answers there is not Redis", value=self._url.shown
            ) from None
        except redis.exceptions.ResponseError as error:
            if _NOT_ALLOWED in str(error):
                raise self._not_allowed() from None
            if _NO_DATABASE in str(error):
                raise BrokerUnreachable(
                    "the broker has no database of this number", value=self._url.shown
                ) from None
            if _OTHER_TYPE in str(error):
                raise DamagedRecord(
                    "a record of the broker is damaged: it is none of ours"
                ) from None
            if _BAD_ARGUMENT in str(error):
                field = str(error).partition(_BAD_ARGUMENT)[2].split(" script:")[0].strip()
                raise InvalidJob("the ledger does not take this value", field=field[:40]) from None
            if not str(error).startswith(_CANNOT_WRITE) and not isinstance(
                error, redis.exceptions.ReadOnlyError | redis.exceptions.ClusterDownError
            ):
                raise
            raise BrokerUnreachable(
                "the broker cannot be written to just now", value=self._url.shown
            ) from None
        except redis.exceptions.TimeoutError:
            answer_s = self._url.options.get("socket_timeout", _ANSWER_TIMEOUT_S)
            raise BrokerUnreachable(
                f"the broker gave no answer within {answer_s:.0f} s",
                value=self._url.shown,
                hint="It is busy or stopped, or something else listens there; try again, or "
                "look at the server itself",
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
                hint="Is the farm running? `winepress up` starts one on this machine and says what "
                "to export in this shell; WINEPRESS_CONFIG or WINEPRESS_BROKER_URL name another",
            ) from None

    def _not_allowed(self) -> BrokerUnreachable:
        return BrokerUnreachable(
            "the broker does not allow this with these credentials",
            value=self._url.shown,
            hint="They are of another role or farm; the operator's settings of this one may",
        )

    def _raise_limit(self, reason: str) -> None:
        """Raise BrokerUnreachable when a number of connections is the reason, and no outage."""
        if _SERVER_EXHAUSTED in reason:
            raise BrokerUnreachable(
                "the broker allows no more connections",
                value=self._url.shown,
                hint="Raise its `maxclients`, or let fewer programs use it at a time",
            ) from None
        if _POOL_EXHAUSTED in reason:
            most = self._url.options.get("max_connections", _CONNECTIONS)
            raise BrokerUnreachable(
                f"all {most} connections of this client to the broker are in use",
                value=self._url.shown,
                hint="Raise max_connections in broker_url, like redis://HOST/0?max_connections=200,"
                " or use the client from fewer threads at a time",
            ) from None


def script_texts() -> dict[str, str]:
    """Name → text of every script, with the prelude that all of them share."""
    folder = resources.files(__package__).joinpath("lua")
    parts = sorted(folder.joinpath("prelude").iterdir(), key=lambda part: part.name)
    prelude = "".join(part.read_text("utf-8") for part in parts)
    found: dict[str, str] = {}
    for entry in folder.iterdir():
        if entry.name.endswith(".lua"):
            # The first line says what the server may do with the script, so it stays first.
            flags, body = entry.read_text("utf-8").split("\n", 1)
            found[entry.name.removesuffix(".lua")] = f"{flags}\n{prelude}{body}"
    return found


class Channel:
    """A subscription; raises BrokerUnreachable like every other call.

    redis-py connects it again by itself when that succeeds at once. Its connection is none of the
    server's pool, which it would hold for as long as it lives.
    """

    def __init__(self, server: ScriptServer, name: str) -> None:
        self._server = server
        self._name = name
        #: The connection is a new one; for the reader to set back.
        self.is_new = False
        self._mine = PerProcess(self._subscribe)
        self._mine.get()

    def _subscribe(self) -> redis.client.PubSub:
        with self._server.reaching():
            found = self._server.new_client().pubsub()  # type: ignore[no-untyped-call]
            found.subscribe(self._name)
        return cast("redis.client.PubSub", found)

    def get_message(self, timeout: float) -> dict[str, Any] | None:
        """The next message, None after ``timeout`` seconds without one; its text is ``data``."""
        mine = self._mine.get()
        with self._server.reaching():
            found = cast("dict[str, Any] | None", mine.get_message(timeout=timeout))
        if found and found["type"] == "subscribe":
            self.is_new, found = True, None
        return found

    def close(self) -> None:
        """Give the connection of this process back."""
        mine = self._mine.pop()
        if mine is not None:
            mine.close()
            mine.connection_pool.disconnect()
