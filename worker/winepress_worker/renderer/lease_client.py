"""The rendering process's client of the ledger: waits out an outage, and stops when told to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from winepress_shared.errors import (
    BrokerUnreachable,
    EnvironmentFault,
    FailForGood,
    LaterVersion,
    Refused,
    RetryElsewhere,
    Stopped,
    StoreUnreachable,
    WinepressError,
    YieldRequested,
)
from winepress_shared.lane import model_key
from winepress_shared.ledger.ledger import Ledger, holder_of
from winepress_shared.ledger.records import UNREAD, Directive, Slice, UnitOutcome
from winepress_shared.outage import patiently, pauses_for
from winepress_worker.os_fault import seen_through
from winepress_worker.renderer.messenger import Messenger
from winepress_worker.renderer.preview_publisher import PreviewPublisher
from winepress_worker.renderer.slice_ends import ends_of
from winepress_worker.renderer.step_reports import StepReports
from winepress_worker.renderer.store_rest import StoreRest
from winepress_worker.renderer.suspects import Suspects
from winepress_worker.renderer.unfit import Unfit

log = logging.getLogger(__name__)

PATIENCE_S = 900.0  #: a finished picture waits this long for the broker to come back
_PAUSES_S = ((0.1, 0.5, 1.0, 2.0), 5.0)  #: between tries: the first ones, then all others
_NO_UNIT = -1  #: of a slice of which nothing is drawn yet
_LISTEN_S = 1.0
#: Messages on the channel of directives: stop at the next unit; or at the next step.
DRAIN, LEAVE = "drain", "leave"

T = TypeVar("T")
SliceUnit = tuple[Slice, int]  #: a unit of a slice


class LeaseClient:
    """Claims, reports and commits for one rendering process."""

    def __init__(
        self,
        ledger: Ledger,
        worker: str,
        pid: int,
        previews: PreviewPublisher,
        messenger: Messenger,
        unfit: Unfit,
        on_counted: Callable[[], None] = lambda: None,
    ) -> None:
        """``messenger`` sends in the background; ``on_counted`` is called after each commit."""
        self._ledger = ledger
        self._messenger = messenger
        self._unfit = unfit
        self._on_counted = on_counted
        self._suspects = Suspects()
        self._store_rest = StoreRest()
        self.previews = previews
        self.worker = worker
        self.holder = holder_of(worker, pid)
        self._reports = StepReports(ledger, messenger)
        self._drawing: frozenset[int] = frozenset()  # fences of what is being loaded or drawn for
        self.in_hand: dict[int, set[int]] = {}  #: fence → units not settled; see `Ledger.disown`
        self._claiming = threading.Lock()  # held while a claim may have slices that `in_hand` lacks
        self._waiting: dict[int, Slice] = {}  # fence → slice of the newest claim, not begun yet
        self.draining = threading.Event()
        self._leaving = threading.Event()  # also what is being drawn ends

    def listen(self) -> None:
        """Begin to listen for directives, for as long as the process lives."""
        threading.Thread(target=self._listen, name="directives", daemon=True).start()

    def claim(self, lane: str, most: int, *, together: int = 1, begin: bool) -> list[Slice]:
        """The next slices of ``lane``; none when nothing waits or this worker is leaving.

        For ``together`` and ``begin`` see `Ledger.claim_together`.
        """
        if self.draining.is_set():
            return []
        others_first = self._suspects.wait_for_others(lane)
        terms = (lane, self.worker, self.holder, most, 1 if others_first else together)
        with self._claiming:
            slices = self._ledger.claim_together(*terms, begin=begin, others_first=others_first)
            self.in_hand |= {one.fence: set(one.units) for one in slices}
        self._waiting = {one.fence: one for one in slices}
        self._drawing = frozenset(self._waiting)
        self._reports.claimed(slices)
        return slices

    def rest(self) -> None:
        """Nothing is being drawn until the next claim or call: what is drawn is on its way."""
        self._drawing = frozenset()
        self._reports.rest()

    def holds(self, slice_: Slice) -> bool:
        """Whether a slice was neither given back nor settled to its last unit."""
        return slice_.fence in self.in_hand

    def wants(self, slice_: Slice) -> bool:
        """Whether it is worth waiting for to store what is drawn of a slice."""
        return self.holds(slice_) and not self._leaving.is_set()

    def start(self, units: Sequence[SliceUnit]) -> tuple[dict[int, Stopped], bool]:
        """Begin units.

        Returns the fences of slices that must end instead, with the reason, and whether a higher
        priority waits in another lane.
        """
        if self.draining.is_set():
            leaving = YieldRequested("this worker is leaving")
            return {slice_.fence: leaving for slice_, _ in units}, False
        for slice_, _ in units:
            self._waiting.pop(slice_.fence, None)
        new = [
            (slice_.fence, unit)
            for slice_, unit in units
            if not (slice_.begun and unit == slice_.units[0])
        ]
        told = self._patiently(lambda: self._ledger.start_together(new)) if new else []
        return ends_of(new, told), Directive.CALLED in told

    def watch(self, *units: SliceUnit, tells_end: bool = False) -> Callable[[int, int], None]:
        """The step callback of a call: reports steps, and stops when told to.

        A slice that must stop is given back, and the others go on; the callback raises Stopped for
        the last one. One that waits for its turn is not kept for long after the end of its job.
        With ``tells_end`` the last step is reported even if nobody watches.
        """
        going = {slice_.fence: (slice_, unit) for slice_, unit in units}
        self._drawing = frozenset(going)
        self._reports.begin(
            lambda: {fence: unit for fence, (_, unit) in list(going.items())},
            lambda: list(self._waiting),
            tells_end=tells_end,
        )

        def on_step(done: int, steps: int) -> None:
            if self._leaving.is_set() and done < steps:
                raise YieldRequested("this worker is leaving")
            self._reports.step(done, steps)
            if self._reports.has_news:
                for fence, stop in self._patiently(self._reports.ask).items():
                    if len(going) == 1 and fence in going:
                        raise stop
                    mine = self._waiting.pop(fence, None) or going.pop(fence)[0]
                    self.give_back(mine)
            else:
                self._reports.send_if_due()

        return on_step

    def commit(
        self, slice_: Slice, unit: int, output: dict[str, Any], *, is_mine: bool = True
    ) -> UnitOutcome:
        """Count a picture that is in the store; one that is not ``is_mine`` was drawn before."""
        outcome = self._patiently(lambda: self._ledger.commit(slice_.fence, unit, output))
        self._on_counted()
        if is_mine:
            self._store_rest.end()
            self._suspects.served(slice_, unit)
        return self._settled(slice_, unit, outcome)

    def finish(self, slice_: Slice, reason: str) -> None:
        """End a job whose result is written."""
        self._patiently(lambda: self._ledger.finish(slice_.fence, reason))
        self.in_hand.pop(slice_.fence, None)

    def outputs(self, slice_: Slice) -> dict[int, dict[str, Any]]:
        """What was recorded for each unit of the slice's job."""
        return self._patiently(lambda: self._ledger.outputs(slice_.job_id))

    def give_back(
        self, slice_: Slice, park_ms: int = 0, reason: str = "", unserved: int = -1
    ) -> None:
        """Return what is left of a slice and count no attempt; see `Ledger.release`."""
        self._patiently(
            lambda: self._ledger.release(slice_.fence, self.holder, park_ms, reason, unserved)
        )
        self.in_hand.pop(slice_.fence, None)

    def account(self, slice_: Slice, unit: int, error: Exception) -> UnitOutcome:
        """Do what the type of ``error`` asks for: try again, give up, leave or rest the lane.

        An unexpected error counts as one attempt of this unit. Unit -1 is the job's result.
        """
        error = seen_through(error)
        if isinstance(error, LaterVersion) and unit != _NO_UNIT:
            self.note(slice_, f"{self.worker} leaves it to workers of a later version: {error}")
            self.give_back(slice_, unserved=UNREAD)
            return UnitOutcome.LOST
        if isinstance(error, EnvironmentFault) and self._suspects.is_to_blame(slice_):
            why = f"{self.worker} serves other jobs of this lane, but not this one: {error}"
            outcome = self._fail(slice_, unit, RetryElsewhere(why))
            if outcome is not UnitOutcome.LAST:
                self.give_back(slice_)
            return outcome
        if isinstance(error, EnvironmentFault):
            self.note(slice_, f"{self.worker} leaves it to others: {error}")
            self._suspects.add(slice_, unit)
            self._unfit.refuse(model_key(slice_.lane), error)
            self.give_back(slice_, unserved=unit)
            return UnitOutcome.LOST
        if isinstance(error, StoreUnreachable):
            log.error("lane rests: %s", error)
            self.give_back(slice_, self._store_rest.begin(), str(error))
            return UnitOutcome.LOST
        return self._fail(slice_, unit, error)

    def _fail(self, slice_: Slice, unit: int, error: Exception) -> UnitOutcome:
        if isinstance(error, WinepressError):
            log.warning("unit %s of %s failed: %s", unit, slice_.job_id, error)
            fault: WinepressError = error
        else:
            log.error("unexpected error in unit %s of %s", unit, slice_.job_id, exc_info=error)
            fault = RetryElsewhere(f"{type(error).__name__}: {error}")
        retry = not isinstance(error, FailForGood | Refused)
        outcome = self._patiently(lambda: self._ledger.fail(slice_.fence, unit, fault, retry=retry))
        return self._settled(slice_, unit, outcome)

    def note(self, slice_: Slice, message: str) -> None:
        """Tell whoever watches the job what takes so long before its first step."""
        log.info("%s: %s", slice_.job_id, message)
        try:
            self._ledger.note(slice_.job_id, message)
        except BrokerUnreachable:
            log.warning("note not recorded: broker unreachable")

    def describe(self, facts: dict[str, Any], said: Callable[[], None]) -> None:
        """Send a description of this process in the background; ``said`` is called afterwards."""

        def tell() -> None:
            self._ledger.describe_renderer(self.worker, facts)
            said()

        self._messenger.send("description", tell)

    def _settled(self, slice_: Slice, unit: int, outcome: UnitOutcome) -> UnitOutcome:
        """Forget a unit; after the last one of a job its slice is kept until the job ends."""
        units = self.in_hand.get(slice_.fence, set())
        units.discard(unit)
        if not units and outcome is not UnitOutcome.LAST:
            self.in_hand.pop(slice_.fence, None)
        return outcome

    def _patiently(self, call: Callable[[], T]) -> T:
        """Try again through an outage: the sweep prolongs leases that could not be renewed."""
        return patiently(call, pauses_for(PATIENCE_S, *_PAUSES_S))

    def _obey(self, word: str) -> None:
        if word in (DRAIN, LEAVE):
            self.draining.set()
            if word == LEAVE:
                self._leaving.set()
        else:
            self._hear(int(word))

    def _hear(self, fence: int) -> None:
        """A slice must stop, or its job is watched: ask which at the next step.

        If nothing is being drawn for it, it ends at once. One with a picture on its way to a slow
        store ends minutes later, and one whose claim was never answered is known to the ledger
        alone: our parent would kill this process over either.
        """
        self._reports.call_for(fence)
        if fence in self._drawing:
            return
        if self._reports.look_up(fence) in (Directive.CANCEL, Directive.LOST):
            self._ledger.release(fence, self.holder)
            self.in_hand.pop(fence, None)

    def _listen(self) -> None:
        while True:
            try:
                channel = self._ledger.directives(self.holder)
                while True:
                    message = channel.get_message(timeout=_LISTEN_S)
                    if message:
                        self._obey(message["data"])
                    self._reports.give_sign()
                    if channel.is_new:
                        self._disown()
                        channel.is_new = False
            except (BrokerUnreachable, OSError, ValueError):
                time.sleep(_LISTEN_S)

    def _disown(self) -> None:
        """Hand on what is not in hand: the server may be another, or have lost its newest data."""
        with self._claiming:
            self._ledger.disown(self.holder, {f: tuple(u) for f, u in list(self.in_hand.items())})
