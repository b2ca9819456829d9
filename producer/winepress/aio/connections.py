"""The blocking client behind `AsyncClient`, and the threads that call it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, Self, TypeVar

from winepress.aio.threads import LoopThreads
from winepress.client import Client
from winepress_shared.errors import WrongUsage
from winepress_shared.per_process import PerProcess
from winepress_shared.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")


class AsyncConnections:
    """A client that makes its calls in threads of its own, for one event loop at a time.

    It belongs to the loop that uses it first, until the client or that loop is closed. In another
    loop every method raises WrongUsage. It can be pickled and forked like a `Client`.
    """

    def __init__(self, settings: Settings) -> None:
        self.client = Client(settings)  #: the blocking client; call it in threads only
        self.settings = settings
        self._threads = PerProcess(LoopThreads)

    @classmethod
    def from_env(cls) -> Self:
        """A client for the farm that `Settings.load` finds; raises WrongUsage for a bad setting."""
        return cls(Settings.load())

    def __repr__(self) -> str:
        return f"AsyncClient(farm={self.settings.farm!r})"

    def __reduce__(self) -> tuple[type[Self], tuple[Settings]]:
        return type(self), (self.settings,)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close threads and connections; the client opens new ones if it is used again.

        Raises WrongUsage in every task that still waits; a call that has begun is completed.
        """
        threads = self.threads()
        self._threads.pop()
        await threads.close(self.client.close)

    async def in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of ``call``, made in a thread of this client.

        Use it for calls that would block the loop, such as making a job of a large picture.
        """
        return await self.threads().run(partial(call, *args, **kwargs))

    def threads(self) -> LoopThreads:
        """The threads of the running loop; raises WrongUsage in a second loop."""
        mine = self._threads.get()
        if mine.loop.is_closed():
            self._threads.pop()
            mine = self._threads.get()
        if mine.loop is not asyncio.get_running_loop():
            raise WrongUsage(
                "another event loop uses this client",
                hint="Close the client there first, or make one for each loop",
            )
        return mine
