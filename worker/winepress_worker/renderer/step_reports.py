"""Reports the steps of the call in hand: where somebody watches, and else now and then.

A job that nobody watches costs no report as long as its calls are short. In a longer call one is
sent every few seconds by the thread that hears orders: so our parent knows when the last step was,
whatever the drawing thread does, and an order that a broken channel has swallowed is heard of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from winepress_shared.errors import Stopped
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.ledger.records import Directive, Slice, StepReply
from winepress_worker.renderer.messenger import Messenger
from winepress_worker.renderer.slice_ends import ends_of

WATCHED_S = 0.25  #: least time between two reports of steps that somebody watches
#: Between two of others. Below the time after which our parent kills who has not obeyed.
UNWATCHED_S = 8.0
_NO_UNIT = -1  #: of a slice of which nothing is drawn yet


class _Call:
    """What is drawn in one call, with what waits beside it, and how far it is."""

    def __init__(self, units: Callable[[], dict[int, int]], *, tells_end: bool = False) -> None:
        """``units``: fence → unit."""
        self.units = units
        self.tells_end = tells_end
        self.done = self.steps = 0
        self.drawn_at = self.told_at = time.monotonic()  # the newest step, and the newest report
        self.is_told = False  # of one of its steps

    @property
    def silent_s(self) -> float:
        return time.monotonic() - self.told_at

    def tell(self) -> None:
        self.told_at, self.is_told = time.monotonic(), True


class StepReports:
    """The reports of one rendering process; thread-safe."""

    def __init__(self, ledger: Ledger, messenger: Messenger) -> None:
        self._ledger = ledger
        self._messenger = messenger
        self._watched: set[int] = set()  # fences
        self._news: set[int] = set()  # fences of which there is something to be heard
        self.rest()

    def claimed(self, slices: Sequence[Slice]) -> None:
        """These are the slices that this process draws next."""
        self._watched = {one.fence for one in slices if one.watched}
        self._news.intersection_update(one.fence for one in slices)

    def begin(
        self,
        drawn: Callable[[], dict[int, int]],
        waiting: Callable[[], Sequence[int]],
        *,
        tells_end: bool = False,
    ) -> None:
        """A call begins: fence → unit of what is drawn in it, and fences that wait beside it.

        With ``tells_end`` its last step is reported in any case.
        """
        self._call = _Call(
            lambda: dict.fromkeys(waiting(), _NO_UNIT) | drawn(), tells_end=tells_end
        )

    def rest(self) -> None:
        """The call is over."""
        self._call = _Call(dict)

    def step(self, done: int, steps: int) -> None:
        """So many steps of the call are done."""
        call = self._call
        call.done, call.steps, call.drawn_at = done, steps, time.monotonic()

    def call_for(self, fence: int) -> None:
        """There is something to be heard of a slice: `ask` at its next step.

        Who watches it from now on sees the newest step now: the next one may take a minute.
        """
        self._news.add(fence)
        if fence in self._call.units():
            self.give_sign(after_s=0.0)

    @property
    def has_news(self) -> bool:
        """Whether there is something to be heard of what is in hand."""
        return not self._news.isdisjoint(self._call.units())

    def ask(self) -> dict[int, Stopped]:
        """Report the step; returns the fences of slices that must stop, and why."""
        self._news.difference_update(self._call.units())  # first: more may come meanwhile
        return self._report(self._call)

    def send_if_due(self) -> None:
        """Report a step in the background, if it is time for that."""
        call = self._call
        is_last, is_due = call.done == call.steps, call.silent_s > UNWATCHED_S
        if not self._watched.isdisjoint(call.units()):
            is_due = is_last or not call.is_told or call.silent_s > WATCHED_S
        # Our parent, once told of a step, is told of the last one: storing may take longer.
        if is_due or (is_last and (call.is_told or call.tells_end)):
            self._send(call)

    def give_sign(self, after_s: float = UNWATCHED_S) -> None:
        """Report the newest step in the background, if none was for so long."""
        call = self._call
        if 0 < call.done < call.steps and call.silent_s >= after_s:
            self._send(call)

    def look_up(self, fence: int) -> Directive:
        """What the ledger says of a slice for which nothing is drawn now."""
        return self._tell({fence: _NO_UNIT}, 0, 0, 0.0)[0].directive

    def _send(self, call: _Call) -> None:
        call.tell()
        self._messenger.send("progress", lambda: self._news.update(self._report(call)))

    def _report(self, call: _Call) -> dict[int, Stopped]:
        call.tell()
        age_s = time.monotonic() - call.drawn_at
        units = call.units()
        told = [one.directive for one in self._tell(units, call.done, call.steps, age_s)]
        # A pause lets the picture in hand be finished.
        told = [Directive.OK if one is Directive.YIELD else one for one in told]
        return ends_of(list(units.items()), told)

    def _tell(
        self, units: dict[int, int], done: int, steps: int, age_s: float
    ) -> Sequence[StepReply]:
        replies = self._ledger.progress_together(list(units.items()), done, steps, age_s)
        self._watched.difference_update(units)
        told = zip(units, replies, strict=True)
        self._watched.update(fence for fence, reply in told if reply.is_watched)
        return replies
