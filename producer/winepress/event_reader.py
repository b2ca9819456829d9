"""One thread and one connection that read events for all who wait for jobs of a client."""

from __future__ import annotations

import contextlib
import math
import secrets
import threading
import time
import weakref
from collections.abc import Sequence
from itertools import islice
from queue import Empty, SimpleQueue

from winepress.outage import patiently
from winepress_shared.errors import BrokerUnreachable, DamagedRecord
from winepress_shared.ledger.event_log import BLOCK_MS, EventLog, order_of_id
from winepress_shared.ledger.events import Event
from winepress_shared.settings import Settings

_MOST_JOBS = 1_000  #: in one command; of more, each part is read for a moment in turn
_TURN_MS = 200  #: that moment
_MOST_ARRIVALS = 20  #: a subscriber that takes none is read no further

Arrival = Sequence[Event] | Exception | None


class Subscription:
    """Somebody who waits for what happens to one job behind the event ``after``.

    What arrives is: events; none of them, when nothing happened for `BLOCK_MS`; or why nothing
    will. Another kind of subscription may overwrite `put`, which must not block.
    """

    def __init__(self, job_id: str, after: str) -> None:
        self.job_id = job_id
        self.after = after
        self.heard_at = time.monotonic()
        self._arrivals: SimpleQueue[Arrival] = SimpleQueue()

    def put(self, arrival: Arrival) -> None:
        """Called by the thread that reads, and with None to end a `take`."""
        self._arrivals.put(arrival)

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be read for it now."""
        return self._arrivals.qsize() >= _MOST_ARRIVALS

    def take(self, timeout: float | None) -> Sequence[Event] | None:
        """Events, or None when there will be no more; raises TimeoutError, or why none come."""
        try:
            found = self._arrivals.get(timeout=timeout)
        except Empty:
            raise TimeoutError from None
        if isinstance(found, Exception):
            raise found
        return found


class EventReader:
    """Serves subscriptions of one process; its thread lives as long as there are any."""

    def __init__(self, settings: Settings) -> None:
        from winepress_shared.ledger.script_server import ScriptServer  # takes long to import

        prefix = f"{settings.farm}:"
        # Apart, because the URL may allow one connection to each.
        self._servers = ScriptServer(settings, prefix), ScriptServer(settings, prefix)
        self._log, self._bell = (EventLog(server, prefix) for server in self._servers)
        self._name = secrets.token_hex(8)
        self._lock = threading.Lock()
        # Who forgot to leave is not waited for.
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()
        self._thread: threading.Thread | None = None
        self._is_called = False  # to look again, since the last time it looked
        self._is_closed = False
        self._turn = 0

    def add(self, subscription: Subscription) -> None:
        """Read for one more from now on; or again for one that was full."""
        with self._lock:
            self._subscriptions.add(subscription)
            is_new = self._thread is None
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="events", daemon=True)
                self._thread.start()
            is_called, self._is_called = self._is_called or is_new, True
        if not is_called:
            self._call()

    def remove(self, subscription: Subscription) -> None:
        """Read no more for it."""
        with self._lock:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """Give the connections back as soon as nobody waits, within `BLOCK_MS` of that."""
        with self._lock:
            self._is_closed = True
            is_running = self._thread is not None
        if not is_running:
            self._disconnect()

    def _disconnect(self) -> None:
        for server in self._servers:
            server.close()

    def _call(self) -> None:
        with contextlib.suppress(BrokerUnreachable):  # it looks again by itself a little later
            self._bell.wake(self._name)

    def _run(self) -> None:
        try:
            while positions := self._positions():
                self._read(positions)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: whoever waits must hear
            self._give_up(error)
        if self._is_closed:
            self._disconnect()

    def _positions(self) -> dict[str, str]:
        """Job → the event behind which to read on; the thread is over when there is none."""
        with self._lock:
            self._is_called = False
            positions: dict[str, str] = {}
            for one in self._subscriptions:
                if not one.is_full:
                    known = positions.get(one.job_id, one.after)
                    positions[one.job_id] = min(known, one.after, key=order_of_id)
            if not positions:
                self._thread = None
            return positions

    def _read(self, positions: dict[str, str]) -> None:
        block_ms, parts = BLOCK_MS, math.ceil(len(positions) / _MOST_JOBS)
        if parts > 1:
            self._turn = (self._turn + 1) % parts
            first = self._turn * _MOST_JOBS
            positions = dict(islice(positions.items(), first, first + _MOST_JOBS))
            block_ms = _TURN_MS
        try:
            self._hand_out(patiently(lambda: self._ask(positions, block_ms)))
        except DamagedRecord:  # of one of these jobs: the others go on
            self._drop_damaged(positions)

    def _drop_damaged(self, positions: dict[str, str]) -> None:
        for job_id, after in positions.items():
            try:
                self._log.read({job_id: after})
            except DamagedRecord as error:
                with self._lock:
                    those = [one for one in self._subscriptions if one.job_id == job_id]
                    self._subscriptions.difference_update(those)
                for one in those:
                    one.put(error)

    def _ask(self, positions: dict[str, str], block_ms: int) -> dict[str, list[Event]]:
        try:
            return self._log.read(positions, block_ms, self._name)
        except BrokerUnreachable:
            if self._subscriptions:
                raise
            return {}  # nobody waits any more

    def _hand_out(self, found: dict[str, list[Event]]) -> None:
        with self._lock:
            subscriptions = list(self._subscriptions)
        now = time.monotonic()
        for one in subscriptions:
            last = order_of_id(one.after)
            events = [e for e in found.get(one.job_id, ()) if order_of_id(e.id) > last]
            if events:
                one.after = events[-1].id
            if events or now - one.heard_at >= BLOCK_MS / 1000:
                one.heard_at = now
                one.put(events)

    def _give_up(self, error: Exception) -> None:
        with self._lock:
            subscriptions, self._thread = list(self._subscriptions), None
            self._subscriptions.clear()
        for one in subscriptions:
            one.put(error)
