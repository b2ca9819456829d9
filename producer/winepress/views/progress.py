"""How far one job is, as its events tell it."""

from __future__ import annotations

from collections import deque

from winepress.explanation import duration
from winepress_shared.lane import FILM
from winepress_shared.ledger.events import Event, EventName
from winepress_shared.ledger.records import JobRow
from winepress_shared.state import JobState

_ENDS = frozenset(state for state in JobState if state.is_terminal)
_CALLS = 30  #: the newest ones, which the pace is taken from
_ONE_CALL_S = 0.25  #: pictures that end within this time were drawn in one call


class Progress:
    """Follows the events of one job; the row says what was known before them."""

    def __init__(self, row: JobRow) -> None:
        self.id = row.id
        self.kind = row.kind
        self.units = row.units
        self.state = row.state.value
        self.note = ""  #: what its worker does before the first step
        self.done = row.done
        #: Unit whose steps are frames.
        self._film_unit = str(row.units - 1) if FILM in (row.lane, row.last_lane) else ""
        self._frames = ""
        #: The events of the past tell again of failures that the row counts already.
        self._failed_before = row.failed
        self._failed_units: set[str] = set()
        self._steps: dict[str, float] = {}  # unit → share of its steps
        self._finished: deque[tuple[float, int]] = deque(maxlen=_CALLS)  # when, how many

    def take(self, event: Event) -> None:
        """Take one event in."""
        fields, unit = event.fields, event.fields.get("unit", "")
        if event.name in (EventName.DAMAGED, EventName.PREVIEW, EventName.UNIT_STARTED):
            return
        if event.name != EventName.NOTE:
            self.note = ""  # the worker is past it, or will not do it any more
        if event.name == EventName.PROGRESS:
            self._steps[unit] = int(fields["step"]) / max(1, int(fields["steps"]))
            if unit == self._film_unit:
                self._frames = f"{fields['step']}/{fields['steps']} frames"
        elif event.name == EventName.UNIT_DONE:
            self.done = max(self.done, int(fields["done"]))
            self._count(event.at, int(fields["done"]))
            self._steps.pop(unit, None)
        elif event.name == EventName.UNIT_FAILED:
            self._failed_units.add(unit)
            self._steps.pop(unit, None)
        elif event.name == EventName.UNIT_RETRY:
            self._steps.pop(unit, None)
        elif event.name == EventName.NOTE:
            self.note = fields.get("message", "")
        else:
            self.state = event.name
            if event.name == JobState.QUEUED:  # again: what failed before is drawn once more
                self._failed_before = 0
                self._failed_units.clear()

    def _count(self, at: float, done: int) -> None:
        """Four pictures of one call are no pace: they end in the same moment."""
        if self._finished and at - self._finished[-1][0] < _ONE_CALL_S:
            at, _ = self._finished.pop()
        self._finished.append((at, done))

    @property
    def is_over(self) -> bool:
        """Whether it was in a last state when it was heard of last."""
        return self.state in _ENDS

    @property
    def fraction(self) -> float:
        """Share of the job that is done, 0 to 1, with the steps of pictures in hand."""
        ended = self.done + self.failed
        return min(1.0, (ended + sum(self._steps.values())) / self.units)

    @property
    def failed(self) -> int:
        """Units that ended without a picture."""
        return max(self._failed_before, len(self._failed_units))

    @property
    def per_minute(self) -> float | None:
        """Pace of the newest pictures; None before two calls have ended."""
        if len(self._finished) < 2:
            return None
        (began, before), (ended, done) = self._finished[0], self._finished[-1]
        return 60 * (done - before) / (ended - began) if ended > began and done > before else None

    @property
    def left_s(self) -> float | None:
        """Seconds until it is done at that pace; None where there is none, or nothing left."""
        left, pace = (1 - self.fraction) * self.units, self.per_minute
        return 60 * left / pace if pace and left and not self.is_over else None

    @property
    def film(self) -> str:
        """How much of the film is cut; empty before that."""
        return f"film, {self._frames}" if self._frames else ""

    @property
    def count(self) -> str:
        """How many of how many, of what."""
        if not self._film_unit:
            return f"{self.done}/{self.units} pictures"
        if self.units == 1:
            return self.film or "film"
        key_frames = f"{min(self.done, self.units - 1)}/{self.units - 1} key frames"
        return ", ".join(filter(None, (key_frames, self._frames)))

    @property
    def text(self) -> str:
        """All of it in one line."""
        text = f"{self.fraction:4.0%} {self.count}, {self.state}"
        if self.failed:
            text += f", {self.failed} failed"
        if self.note:
            text += f", {self.note}"
        if self.per_minute:
            text += f", {self.per_minute:.1f}/min"
        if self.left_s:
            text += f", {duration(self.left_s)} left"
        return text
