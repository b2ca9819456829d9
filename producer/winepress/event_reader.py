"""One thread and one connection that read events for everybody who waits for jobs of a client."""

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
from typing import TYPE_CHECKING

from winepress_shared.errors import BrokerUnreachable, DamagedRecord
from winepress_shared.ledger.event_log import BLOCK_MS, EventLog, order_of_id
from winepress_shared.ledger.events import Event
from winepress_shared.ledger.watchers import Watchers
from winepress_shared.outage import patiently
from winepress_shared.settings import Settings

if TYPE_CHECKING:
    from winepress_shared.ledger.script_server import ScriptServer

_MOST_JOBS = 1_000  #: in one command; of more jobs so many are read in turn
_TURN_MS = 200  #: how long each of these turns waits
_MOST_ARRIVALS = 20  #: in the queue of a subscriber, which is read no further then

Arrival = Sequence[Event] | Exception | None


class Subscription:
    """The queue of somebody who waits for events of one job after the event ``after``.

    An arrival is a list of events, an empty list when nothing has happened for `BLOCK_MS`, an
    error that ends the subscription, or None, which ends a `take`. With ``steps`` workers are asked
    to report them. Subclasses may override `put`, which must not block.
    """

    def __init__(self, job_id: str, after: str, *, steps: bool) -> None:
        self.job_id = job_id
        self.after = after
        self.steps = steps
        self.heard_at = time.monotonic()
        self._arrivals: SimpleQueue[Arrival] = SimpleQueue()

    def put(self, arrival: Arrival) -> None:
        """Add an arrival; the reading thread calls this."""
        self._arrivals.put(arrival)

    @property
    def is_full(self) -> bool:
        """Whether the queue is full, so that nothing more is read for it now."""
        return self._arrivals.qsize() >= _MOST_ARRIVALS

    def take(self, timeout: float | None) -> Sequence[Event] | None:
        """The next events, or None after the end; ``timeout`` is in seconds.

        Raises TimeoutError, and the error that ended the subscription.
        """
        try:
            found = self._arrivals.get(timeout=timeout)
        except Empty:
            raise TimeoutError from None
        if isinstance(found, Exception):
            raise found
        return found


class EventReader:
    """Serves the subscriptions of one process; its thread lives while there are any."""

    def __init__(self, settings: Settings, server: ScriptServer, watchers: Watchers) -> None:
        """``server`` is the client's; it sends the calls that end a blocking read, and marks."""
        from winepress_shared.ledger.script_server import ScriptServer  # takes long to import

        prefix = f"{settings.farm}:"
        # The URL may allow one connection to each server, and a read blocks it for seconds.
        self._own_server = ScriptServer(settings, prefix)
        self._log, self._bell = EventLog(self._own_server, prefix), EventLog(server, prefix)
        self._watchers = watchers
        self._name = secrets.token_hex(8)
        self._lock = threading.Lock()
        # Weak: a subscription that its owner dropped is read for no more.
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()
        self._thread: threading.Thread | None = None
        self._is_called = False  # a wake-up is on its way: the thread will look again
        self._is_closed = False
        self._turn = 0

    def add(self, subscription: Subscription) -> None:
        """Read for ``subscription`` from now on, or again when it was full."""
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
        """Read no more for ``subscription``."""
        with self._lock:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """Close the connection once nobody waits any more, at the latest `BLOCK_MS` after that."""
        with self._lock:
            self._is_closed = True
            is_running = self._thread is not None
        if not is_running:
            self._own_server.close()

    def _call(self) -> None:
        # Without this call the thread looks again after `BLOCK_MS`.
        with contextlib.suppress(BrokerUnreachable):
            self._bell.wake(self._name)

    def _run(self) -> None:
        try:
            while positions := self._positions():
                self._read(positions)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: waiting callers get it
            self._give_up(error)
        if self._is_closed:
            self._own_server.close()

    def _positions(self) -> dict[str, str]:
        """Job → the event after which to read on; when it is empty, the thread must end."""
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
        block_ms, turns = BLOCK_MS, math.ceil(len(positions) / _MOST_JOBS)
        if turns > 1:
            self._turn = (self._turn + 1) % turns
            first = self._turn * _MOST_JOBS
            positions = dict(islice(positions.items(), first, first + _MOST_JOBS))
            block_ms = _TURN_MS
        self._watchers.watch(positions.keys() & self._watched())
        try:
            self._hand_out(patiently(lambda: self._ask(positions, block_ms)))
        except DamagedRecord:  # of one of these jobs: the others continue
            self._drop_damaged(positions)

    def _watched(self) -> set[str]:
        with self._lock:
            return {one.job_id for one in self._subscriptions if one.steps}

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
            return {}  # nobody waits any more, so nobody needs the error

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
