"""Repeats calls during an outage of the broker, such as its restart."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import TypeVar

from winepress_shared.errors import BrokerUnreachable

log = logging.getLogger(__name__)

T = TypeVar("T")

PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 10.0)  #: while waiting for a job


def patiently(call: Callable[[], T], pauses_s: Iterable[float] | None = None) -> T:
    """The answer of ``call``, which is repeated after each pause, by default `PAUSES_S`.

    Raises BrokerUnreachable if the last try fails too.
    """
    for pause_s in PAUSES_S if pauses_s is None else pauses_s:
        try:
            return call()
        except BrokerUnreachable as error:
            log.warning("still waiting: %s", error)
            time.sleep(pause_s)
    return call()


async def patiently_awaited(call: Callable[[], Awaitable[T]]) -> T:
    """`patiently` in an event loop, with `PAUSES_S`."""
    import asyncio  # takes as long to import as the client

    for pause_s in PAUSES_S:
        try:
            return await call()
        except BrokerUnreachable as error:
            log.warning("still waiting: %s", error)
            await asyncio.sleep(pause_s)
    return await call()


def pauses_for(patience_s: float, first_s: Iterable[float], then_s: float) -> Iterator[float]:
    """Pauses for `patiently` in seconds: ``first_s``, then ``then_s`` until the time is over."""
    deadline = time.monotonic() + patience_s
    for pause_s in chain(first_s, repeat(then_s)):
        if time.monotonic() > deadline:
            return
        yield pause_s
