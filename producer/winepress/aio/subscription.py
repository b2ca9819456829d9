"""A subscription of a task in an event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from winepress.event_reader import Arrival, EventReader, Subscription
from winepress_shared.ledger.events import Event


class LoopSubscription(Subscription):
    """A subscription of the running loop; waiting for it takes no thread."""

    def __init__(self, job_id: str, after: str, *, steps: bool) -> None:
        super().__init__(job_id, after, steps=steps)
        self._loop = asyncio.get_running_loop()
        self._has_arrived = asyncio.Event()
        self._reader: EventReader | None = None
        self._is_over = False

    def join(self, reader: EventReader) -> None:
        """Have ``reader`` read for this, unless `leave` was called; blocks its thread."""
        self._reader = reader
        reader.add(self)
        if self._is_over:
            reader.remove(self)

    def leave(self) -> None:
        """Have the reader read no more for this, and end an `arrival`."""
        self._is_over = True
        if self._reader is not None:
            self._reader.remove(self)
        self.put(None)

    def put(self, arrival: Arrival) -> None:
        """Add an arrival; any thread may call this."""
        super().put(arrival)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._has_arrived.set)

    async def arrival(self) -> Sequence[Event] | None:
        """The next events, or None after the end; raises the error that ended the subscription."""
        while self._arrivals.empty():
            self._has_arrived.clear()
            await self._has_arrived.wait()
        return self.take(0)
