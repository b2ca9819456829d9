"""Tests inside a running event loop."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Coroutine
from typing import Any

from support.worker_process import PATIENCE_S
from winepress import AsyncClient


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in an event loop of its own, to its end."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 3 * PATIENCE_S))

    return run


async def until(condition: Callable[[], bool]) -> None:
    """Return when ``condition`` holds, while the loop goes on; fails when it never does."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        await asyncio.sleep(0.01)


def waiters(client: AsyncClient) -> int:
    """For how many somebody reads events."""
    reader = client.client.event_reader
    with reader._lock:
        return len(reader._subscriptions)
