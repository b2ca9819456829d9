"""Riding out a restart of the broker: jobs go on meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from winepress_shared.errors import BrokerUnreachable

log = logging.getLogger(__name__)

T = TypeVar("T")

_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 10.0)  #: between tries


def patiently(call: Callable[[], T]) -> T:
    """What ``call`` answers; raises BrokerUnreachable when the broker stays away."""
    for pause_s in _PAUSES_S:
        try:
            return call()
        except BrokerUnreachable as error:
            log.warning("still waiting: %s", error)
            time.sleep(pause_s)
    return call()


async def patiently_awaited(call: Callable[[], Awaitable[T]]) -> T:
    """The same in an event loop."""
    import asyncio  # takes as long to import as the client

    for pause_s in _PAUSES_S:
        try:
            return await call()
        except BrokerUnreachable as error:
            log.warning("still waiting: %s", error)
            await asyncio.sleep(pause_s)
    return await call()
