"""The stream of events of one job, for an event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Self

from winepress.aio.subscription import LoopSubscription
from winepress.deadline import Deadline
from winepress.event_stream import is_end, may_be_last, state_of
from winepress_shared.ledger.event_log import check_event_id
from winepress_shared.ledger.events import Event
from winepress_shared.ledger.records import JobRow
from winepress_shared.outage import patiently_awaited

if TYPE_CHECKING:
    from winepress.aio.connections import AsyncConnections
    from winepress.aio.threads import LoopThreads


class AsyncEventStream(AsyncIterator[Event]):
    """An iterator over the events of a job until the job ends; see `AsyncJobHandle.events`.

    One task at a time may iterate. When this task is canceled while it waits, no event is lost, and
    another task may continue. `close` ends the iteration, and so does the end of an ``async with``
    block, or dropping the iterator.
    """

    def __init__(
        self,
        connections: AsyncConnections,
        job_id: str,
        timeout: float | None,
        after: str | None,
        *,
        steps: bool,
    ) -> None:
        self._connections = connections
        self._steps = steps
        self._client = connections.client
        self._job_id = job_id
        self._deadline = Deadline(job_id, timeout)
        self._after = "0" if after is None else check_event_id(after)
        self._tells_state = after is not None
        self._has_begun = self._may_be_over = self._is_over = False
        self.ended: JobRow | None = None  #: as `EventStream.ended`
        self._found: Sequence[Event] = ()  #: last
        self._events: deque[Event] = deque()
        self._threads: LoopThreads | None = None
        self._subscription: LoopSubscription | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def __anext__(self) -> Event:
        try:
            while not self._events and not self._is_over:
                await self._read_on()
        except BaseException:  # CancelledError too: nobody waits any more
            self._leave()
            raise
        if not self._events:
            raise StopAsyncIteration
        return self._events.popleft()

    async def close(self) -> None:
        """End the iteration, whichever task waits in it."""
        self._is_over = True
        self._events.clear()
        self._leave()

    def _leave(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.leave()

    # -- the same steps as those of `EventStream` ----------------------------------------------

    async def _read_on(self) -> None:
        if self._tells_state:
            row = await patiently_awaited(self._row)
            self._tells_state = False
            self._keep([state_of(row, self._after)])
        elif self._may_be_over and (row := await patiently_awaited(self._row)).state.is_terminal:
            if not is_end(self._found, row):
                self._keep(await patiently_awaited(self._past))
            self.ended = row
            self._is_over = True
            self._leave()
        else:
            self._found = found = await (self._take() if self._has_begun else self._past())
            self._has_begun = True
            self._may_be_over = may_be_last(found)
            self._keep(found)

    def _keep(self, found: Sequence[Event]) -> None:
        if found and not self._is_over:  # it may have been closed meanwhile
            self._after = found[-1].id
            self._events.extend(found)

    async def _row(self) -> JobRow:
        return await self._bound().run(lambda: self._client.ledger.get(self._job_id))

    async def _past(self) -> Sequence[Event]:
        def look() -> Sequence[Event]:
            if self._steps:
                self._client.watchers.watch([self._job_id])
            return self._client.ledger.events(self._job_id, self._after)

        return await self._bound().run(look)

    async def _take(self) -> Sequence[Event]:
        """The next events; none when this is closed. Raises TimeoutError past the deadline."""
        while not self._is_over:
            patience_s = self._deadline.patience_s()
            try:
                async with asyncio.timeout(patience_s):
                    return await self._arrival()
            except TimeoutError:
                self._leave()  # the reader may have ended: the next turn subscribes again
        return ()

    async def _arrival(self) -> Sequence[Event]:
        subscription = self._subscription
        if subscription is None:
            subscription = self._subscription = LoopSubscription(
                self._job_id, self._after, steps=self._steps
            )
            await self._join(subscription)
        was_full = subscription.is_full
        found = await subscription.arrival()
        if was_full:
            await self._join(subscription)
        return found or ()

    async def _join(self, subscription: LoopSubscription) -> None:
        await self._bound().subscribe(
            subscription, lambda: subscription.join(self._client.event_reader)
        )

    def _bound(self) -> LoopThreads:
        """The threads of the loop in which the iteration began; when they close, it ends."""
        if self._threads is None:
            self._threads = self._connections.threads()
        return self._threads
