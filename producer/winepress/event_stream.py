"""What happens to one job, as it happens."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Self

from winepress.deadline import Deadline
from winepress.event_reader import EventReader, Subscription
from winepress.outage import patiently
from winepress_shared.ledger.event_log import check_event_id
from winepress_shared.ledger.events import Event
from winepress_shared.ledger.records import JobRow
from winepress_shared.per_process import PerProcess
from winepress_shared.state import JobState

if TYPE_CHECKING:
    from winepress.client import Client

_ENDS = frozenset(state.value for state in JobState if state.is_terminal)


class EventStream(Iterator[Event]):
    """An iterator over the events of a job, until that is over; see `JobHandle.events`.

    `close`, which another thread may call while nothing happens, ends it, as does the end of a
    ``with`` block.
    """

    def __init__(
        self, client: Client, job_id: str, timeout: float | None, after: str | None
    ) -> None:
        self._source = _Source(client, job_id, timeout, after)
        self._events = chain.from_iterable(self._source.batches())

    def __next__(self) -> Event:
        if self._source.is_closed:  # what was read before is not told either
            raise StopIteration
        return next(self._events)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def ended(self) -> JobRow | None:
        """The job as it ended; None where the iteration has not come to that."""
        return self._source.ended

    def close(self) -> None:
        """End the iteration, in whichever thread it waits."""
        self._source.close()


class _Source:
    """Where the events come from; knows no iterator, so that one that is dropped ends at once."""

    def __init__(
        self, client: Client, job_id: str, timeout: float | None, after: str | None
    ) -> None:
        self._client = client
        self._job_id = job_id
        self._deadline = Deadline(job_id, timeout)
        self._after = "0" if after is None else check_event_id(after)
        self._tells_state = after is not None
        self.ended: JobRow | None = None
        self.is_closed = False
        self._mine = PerProcess(self._subscribe)

    def close(self) -> None:
        """Let `batches` end."""
        self.is_closed = True
        subscription = self._mine.pop()
        if subscription is not None:
            self._reader.remove(subscription)
            subscription.put(None)

    @property
    def _reader(self) -> EventReader:
        return self._client.event_reader

    def _subscribe(self) -> Subscription:
        subscription = Subscription(self._job_id, self._after)
        self._reader.add(subscription)
        return subscription

    def batches(self) -> Iterator[Sequence[Event]]:
        """Events as they come."""
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
                        yield patiently(self._past)  # what came before the row was read
                    return
                found = self._take()
        finally:
            self.close()

    def _row(self) -> JobRow:
        return self._client.ledger.get(self._job_id)

    def _past(self) -> Sequence[Event]:
        return self._client.ledger.events(self._job_id, self._after)

    def _take(self) -> Sequence[Event] | None:
        """What happens next; None when this is closed. Raises TimeoutError past the deadline."""
        while not self.is_closed:
            subscription = self._mine.get()
            if self.is_closed:  # just now, before there was a subscription to end
                break
            was_full, patience_s = subscription.is_full, self._deadline.patience_s()
            try:
                return subscription.take(patience_s)
            except TimeoutError:
                was_full = True  # or its reader has ended
            finally:
                if was_full:
                    self._reader.add(subscription)
        return None


def may_be_last(found: Sequence[Event]) -> bool:
    """Whether a job may be over with these; its row knows, for a retried one has ended before."""
    return not found or any(event.name in _ENDS for event in found)


def is_end(found: Sequence[Event], row: JobRow) -> bool:
    """Whether the last of these is how the job came to end as its row says."""
    return bool(found) and found[-1].name == row.state and found[-1].at == row.finished


def state_of(row: JobRow, after: str) -> Event:
    """What a job is now, as an event at the place ``after``."""
    fields = {
        "state": row.state.value,
        "done": str(row.done),
        "failed": str(row.failed),
        "units": str(row.units),
        "paused": str(int(row.paused)),
    }
    return Event(after, "state", time.time(), fields)
