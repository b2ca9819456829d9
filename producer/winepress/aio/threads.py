"""The threads that make blocking calls for one event loop."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from winepress.aio.subscription import LoopSubscription
from winepress_shared.errors import WrongUsage

T = TypeVar("T")

_THREADS = 16  #: and so calls at a time; more calls wait for their turn


class LoopThreads:
    """A few threads of the running loop, and the subscriptions of its tasks."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="winepress-loop")
        self._calls: set[Future[Any]] = set()
        self._undos: set[Future[Any]] = set()
        self._subscriptions: weakref.WeakSet[LoopSubscription] = weakref.WeakSet()
        self._is_closed = False

    async def run(self, call: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
        """The result of ``call``, made in a thread; raises WrongUsage when this is closed.

        A canceled task ends at once. Its call, if it has begun, is completed, and ``undo`` is
        called in a thread with the result.
        """
        if self._is_closed:
            raise _closed()
        # The task's own context goes along: it says for which request or span it works.
        future, unwanted = self._pool.submit(copy_context().run, call), None
        self._calls.add(future)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            unwanted, task = undo, asyncio.current_task()
            if self._is_closed and task is not None and not task.cancelling():
                raise _closed() from None
            raise
        finally:
            future.add_done_callback(partial(self._end, unwanted))

    def _end(self, undo: Callable[[T], object] | None, future: Future[T]) -> None:
        # Runs in the loop or in a thread, so it must not block.
        if undo is not None and not future.cancelled() and future.exception() is None:
            self._undo(partial(undo, future.result()))
        self._calls.discard(future)

    def _undo(self, undo: Callable[[], object]) -> None:
        try:
            future = self._pool.submit(undo)
        except RuntimeError:  # the program ends: there is no loop left to block
            undo()
        else:
            self._undos.add(future)
            future.add_done_callback(self._undos.discard)

    async def subscribe(self, subscription: LoopSubscription, join: Callable[[], object]) -> None:
        """Call ``join`` in a thread, and end ``subscription`` when this is closed."""
        self._subscriptions.add(subscription)
        await self.run(join)

    async def close(self, last: Callable[[], object]) -> None:
        """End all subscriptions, complete the calls that have begun, then call ``last``."""
        self._is_closed = True
        for subscription in list(self._subscriptions):
            subscription.put(_closed())
        for future in tuple(self._calls):
            future.cancel()  # has no effect on a call that has begun
        try:
            while under_way := (*self._calls, *self._undos):
                all_of_it = map(asyncio.wrap_future, under_way)
                await asyncio.shield(asyncio.gather(*all_of_it, return_exceptions=True))
        finally:
            future = self._pool.submit(last)
            self._pool.shutdown(wait=False)  # the threads end after that
        await asyncio.shield(asyncio.wrap_future(future))


def _closed() -> WrongUsage:
    return WrongUsage(
        "the client was closed meanwhile", hint="Close it when no task uses it any more"
    )
