"""Somebody in an event loop who waits for what happens to a job."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from winepress.event_reader import Arrival, EventReader, Subscription
from winepress_shared.ledger.events import Event


class LoopSubscription(Subscription):
    """A subscription of the running loop: to wait for it costs no thread."""

    def __init__(self, job_id: str, after: str) -> None:
        super().__init__(job_id, after)
        self._loop = asyncio.get_running_loop()
        self._has_arrived = asyncio.Event()
        self._reader: EventReader | None = None
        self._is_over = False

    def join(self, reader: EventReader) -> None:
        """Be read for, unless this was left meanwhile; called in a thread, and blocks it."""
        self._reader = reader
        reader.add(self)
        if self._is_over:
            reader.remove(self)

    def leave(self) -> None:
        """Be read for no more, and end an `arrival`."""
        self._is_over = True
        if self._reader is not None:
            self._reader.remove(self)
        self.put(None)

    def put(self, arrival: Arrival) -> None:
        """Called by any thread."""
        super().put(arrival)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._has_arrived.set)

    async def arrival(self) -> Sequence[Event] | None:
        """Events, or None when there will be no more; raises why none come."""
        while self._arrivals.empty():
            self._has_arrived.clear()
            await self._has_arrived.wait()
        return self.take(0)
