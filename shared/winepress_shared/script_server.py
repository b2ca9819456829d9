"""The connection to Redis and the Lua scripts it runs for us."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import resources
from typing import Any, Protocol, cast

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from winepress_shared.errors import BrokerUnreachable, InvalidJob, QueueFull, WrongUsage
from winepress_shared.settings import Settings

_CONNECT_TIMEOUT_S = 5.0
#: Longest a command may take, and so how soon a server that accepts and never answers is given
#: up; longer than `ledger.BLOCK_MS`. Such a command is not sent again: only a broken connection is.
_ANSWER_TIMEOUT_S = 8.0
_HEALTH_CHECK_S = 25
_RETRY_S = 0.1  #: before the one further try of a command whose connection broke
_BAD_ARGUMENT = "refused argument"  #: how a script of ours says so, before it writes
_NO_DATABASE = "DB index is out of range"
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
    def __call__(self, keys: list[str], args: list[Any]) -> Any: ...


class ScriptServer:
    """One Redis, with every script of ``lua/`` behind its name."""

    def __init__(self, settings: Settings, prefix: str) -> None:
        self._url = settings.broker_url.get_secret_value()
        self._prefix = prefix
        try:
            #: Opens no connection before its first command.
            self.client = redis.Redis.from_url(
                self._url,
                decode_responses=True,
                socket_connect_timeout=_CONNECT_TIMEOUT_S,
                socket_timeout=_ANSWER_TIMEOUT_S,
                socket_keepalive=True,
                health_check_interval=_HEALTH_CHECK_S,
                # Every script may be run twice; longer waits are the caller's to decide.
                retry=Retry(ConstantBackoff(_RETRY_S), 1, (redis.exceptions.ConnectionError,)),
            )
        except ValueError:  # its text may repeat a part of a password
            raise WrongUsage("not the URL of a broker", field="broker_url") from None

    @cached_property
    def _scripts(self) -> dict[str, _Script]:
        return {
            name: cast("_Script", self.client.register_script(text))
            for name, text in script_texts().items()
        }

    def run(self, script: str, *args: str | float) -> Any:
        """Run ``lua/SCRIPT.lua`` on the server."""
        with self.reaching():
            return self._scripts[script](keys=[self._prefix], args=list(args))

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Turn a silent or refusing server into one sentence; never shows the URL's password."""
        try:
            yield
        except redis.exceptions.OutOfMemoryError:
            raise QueueFull("the broker's memory is full", hint="Try again later") from None
        except (redis.exceptions.AuthenticationError, redis.exceptions.NoPermissionError):
            raise BrokerUnreachable(
                "the broker refuses these credentials", value=self._address
            ) from None
        except redis.exceptions.InvalidResponse:
            raise BrokerUnreachable(
                "what answers there is not Redis", value=self._address
            ) from None
        except redis.exceptions.ResponseError as error:
            if _NO_DATABASE in str(error):
                raise BrokerUnreachable(
                    "the broker has no database of this number", value=self._address
                ) from None
            if _BAD_ARGUMENT in str(error):
                field = str(error).partition(_BAD_ARGUMENT)[2].split(" script:")[0].strip()
                raise InvalidJob("the ledger does not take this value", field=field[:40]) from None
            if not str(error).startswith(_CANNOT_WRITE) and not isinstance(
                error, redis.exceptions.ReadOnlyError | redis.exceptions.ClusterDownError
            ):
                raise
            raise BrokerUnreachable(
                "the broker cannot be written to just now", value=self._address
            ) from None
        except redis.exceptions.TimeoutError:
            raise BrokerUnreachable(
                f"the broker gave no answer within {_ANSWER_TIMEOUT_S:.0f} s",
                value=self._address,
                hint="It is busy or stopped, or something else listens there; try again, or "
                "look at the server itself",
            ) from None
        except (redis.exceptions.ConnectionError, OSError):
            raise BrokerUnreachable(
                "the broker does not answer",
                value=self._address,
                hint="Is the farm running? `winepress up` starts one on this machine and says what "
                "to export in this shell; WINEPRESS_CONFIG or WINEPRESS_BROKER_URL name another",
            ) from None

    @property
    def _address(self) -> str:
        scheme, _, rest = self._url.partition("://")
        # A password may stand in front of the host, or among the options behind it.
        return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


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

    redis-py connects it again by itself when that succeeds at once.
    """

    def __init__(self, server: ScriptServer, name: str) -> None:
        self._server = server
        with server.reaching():
            self._pubsub = server.client.pubsub()  # type: ignore[no-untyped-call]
            self._pubsub.subscribe(name)
        #: The connection is a new one; for the reader to set back.
        self.is_new = False

    def get_message(self, timeout: float) -> dict[str, Any] | None:
        """The next message, None after ``timeout`` seconds without one; its text is ``data``."""
        with self._server.reaching():
            found = cast("dict[str, Any] | None", self._pubsub.get_message(timeout=timeout))
        if found and found["type"] == "subscribe":
            self.is_new, found = True, None
        return found

    def close(self) -> None:
        """Give the connection back."""
        self._pubsub.close()


def rows_of(answer: Any) -> list[tuple[str, dict[str, str]]]:
    """The rows of an XREAD answer for one stream.

    redis-py answers a list of pairs under RESP2 and a mapping to a list of lists under RESP3.
    """
    if not answer:
        return []
    if isinstance(answer, dict):
        (found,) = answer.values()
        return [row for batch in found for row in batch]
    return list(answer[0][1])
