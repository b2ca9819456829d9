"""The connection to Redis and the Lua scripts it runs for us."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import resources
from typing import Any, Protocol, cast

import redis

from winepress_shared.errors import BrokerUnreachable, QueueFull
from winepress_shared.settings import Settings

_CONNECT_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 15.0
_HEALTH_CHECK_S = 25


class _Script(Protocol):
    def __call__(self, keys: list[str], args: list[Any]) -> Any: ...


class ScriptServer:
    """One Redis, with every script of ``lua/`` behind its name."""

    def __init__(self, settings: Settings, prefix: str) -> None:
        self._url = settings.broker_url.get_secret_value()
        self._prefix = prefix
        #: Opens no connection before its first command.
        self.client = redis.Redis.from_url(
            self._url,
            decode_responses=True,
            socket_connect_timeout=_CONNECT_TIMEOUT_S,
            socket_timeout=_ANSWER_TIMEOUT_S,
            socket_keepalive=True,
            health_check_interval=_HEALTH_CHECK_S,
        )

    @cached_property
    def _scripts(self) -> dict[str, _Script]:
        folder = resources.files(__package__).joinpath("lua")
        prelude = folder.joinpath("prelude.lua").read_text("utf-8")
        texts = {
            entry.name.removesuffix(".lua"): prelude + entry.read_text("utf-8")
            for entry in folder.iterdir()
            if entry.name != "prelude.lua"
        }
        return {
            name: cast("_Script", self.client.register_script(text)) for name, text in texts.items()
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
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError):
            raise BrokerUnreachable(
                "the broker does not answer",
                value=self._address,
                hint="Is the farm running? `winepress up` starts one on this machine; "
                "WINEPRESS_CONFIG or WINEPRESS_BROKER_URL say where another one is",
            ) from None

    @property
    def _address(self) -> str:
        scheme, _, rest = self._url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"


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
