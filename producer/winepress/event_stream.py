"""The stream of events of one job."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Self

from winepress.deadline import Deadline
from winepress.event_reader import EventReader, Subscription
from winepress_shared.ledger.event_log import check_event_id
from winepress_shared.ledger.events import Event
from winepress_shared.ledger.records import JobRow
from winepress_shared.outage import patiently
from winepress_shared.per_process import PerProcess
from winepress_shared.state import JobState

if TYPE_CHECKING:
    from winepress.connections import Connections

_ENDS = frozenset(state.value for state in JobState if state.is_terminal)


class EventStream(Iterator[Event]):
    """An iterator over the events of a job until the job ends; see `JobHandle.events`.

    `close` ends it, and so does the end of a ``with`` block. Another thread may call `close` while
    this one waits for the next event.
    """

    def __init__(
        self,
        connections: Connections,
        job_id: str,
        timeout: float | None,
        after: str | None,
        *,
        steps: bool,
    ) -> None:
        self._source = _Source(connections, job_id, timeout, after, steps=steps)
        self._events = chain.from_iterable(self._source.next_events())

    def __next__(self) -> Event:
        if self._source.is_closed:  # events that were read before are dropped too
            raise StopIteration
        return next(self._events)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def ended(self) -> JobRow | None:
        """The row of the job after its end; None before the iteration has ended so."""
        return self._source.ended

    def close(self) -> None:
        """End the iteration, whichever thread waits in it."""
        self._source.close()


class _Source:
    """Reads the events; holds no reference to its iterator, so a dropped iterator ends at once."""

    def __init__(
        self,
        connections: Connections,
        job_id: str,
        timeout: float | None,
        after: str | None,
        *,
        steps: bool,
    ) -> None:
        self._connections = connections
        self._steps = steps
        self._job_id = job_id
        self._deadline = Deadline(job_id, timeout)
        self._after = "0" if after is None else check_event_id(after)
        self._tells_state = after is not None
        self.ended: JobRow | None = None
        self.is_closed = False
        self._mine = PerProcess(self._subscribe)

    def close(self) -> None:
        """Let `next_events` end."""
        self.is_closed = True
        subscription = self._mine.pop()
        if subscription is not None:
            self._reader.remove(subscription)
            subscription.put(None)

    @property
    def _reader(self) -> EventReader:
        return self._connections.event_reader

    def _subscribe(self) -> Subscription:
        subscription = Subscription(self._job_id, self._after, steps=self._steps)
        self._reader.add(subscription)
        return subscription

    def next_events(self) -> Iterator[Sequence[Event]]:
        """Groups of events, as they arrive."""
        if self._tells_state:
            yield [state_of(patiently(self._row), self._after)]
        found: Sequence[Event] | None = self._past()
        try:
            while found is not None and not self.is_closed:
                if found:
                    yield found
                    self._after = found[-1].id
                if may_be_last(found) and (row := patiently(self._row)).state.is_terminal:
                    self.ended = row
                    if not is_end(found, row):
                        yield patiently(self._past)  # events from before the row was read
                    return
                found = self._take()
        finally:
            self.close()

    def _row(self) -> JobRow:
        return self._connections.ledger.get(self._job_id)

    def _past(self) -> Sequence[Event]:
        if self._steps:  # now, and not when the reader comes to it: the first steps are wanted too
            self._connections.watchers.watch([self._job_id])
        return self._connections.ledger.events(self._job_id, self._after)

    def _take(self) -> Sequence[Event] | None:
        """The next events; None when this is closed. Raises TimeoutError past the deadline."""
        while not self.is_closed:
            subscription = self._mine.get()
            if self.is_closed:  # meanwhile, before `close` found a subscription
                break
            was_full, patience_s = subscription.is_full, self._deadline.patience_s()
            try:
                return subscription.take(patience_s)
            except TimeoutError:
                was_full = True  # or the reader has ended: `add` starts it again
            finally:
                if was_full:
                    self._reader.add(subscription)
        return None


def may_be_last(found: Sequence[Event]) -> bool:
    """Whether these events may be the last ones; a retried job continues after its end."""
    return not found or any(event.name in _ENDS for event in found)


def is_end(found: Sequence[Event], row: JobRow) -> bool:
    """Whether the last of these events is the end of the job that its row tells."""
    return bool(found) and found[-1].name == row.state and found[-1].at == row.finished


def state_of(row: JobRow, after: str) -> Event:
    """The present state of a job, as an event with the id ``after``."""
    fields = {
        "state": row.state.value,
        "done": str(row.done),
        "failed": str(row.failed),
        "units": str(row.units),
        "paused": str(int(row.paused)),
    }
    return Event(after, "state", time.time(), fields)
