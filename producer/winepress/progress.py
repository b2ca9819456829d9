"""How far a job is, drawn while it runs: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TextIO

from winepress_shared.lane import FILM
from winepress_shared.ledger.events import Event
from winepress_shared.ledger.records import JobRow
from winepress_shared.terminal import redraw_line, shown, write_line

_BAR_CHARACTERS = 24
_COLUMNS = 80  #: of a terminal that does not say how many it has
_DRAW_S = 0.1  #: least time between two drawings of the bar
_LINE_S = 10.0  #: least time between two plain lines


class Progress:
    """Follows the events of one job."""

    def __init__(self, row: JobRow, stream: TextIO | None = None) -> None:
        self._id = row.id
        self._units = row.units
        #: Unit whose steps are frames.
        self._film = str(row.units - 1) if FILM in (row.lane, row.last_lane) else ""
        self._frames = ""
        self._done = self._first_done = row.done
        #: The events of the past tell again of failures that the row counts already.
        self._failed_before = row.failed
        self._failed_units: set[str] = set()
        self._state = row.state.value
        self._note = ""  # what the worker does before the first step
        self._steps: dict[str, float] = {}  # unit → share of its steps
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._began = time.monotonic()
        self._drawn_at = self._began  # the events of the past are taken in first
        self._last = ""
        self._turn = threading.RLock()  # remarks come from another thread

    def follow(self, event: Event) -> None:
        """Take one event in, and draw when it is time to."""
        with self._turn:
            self._take(event)
            self._draw()

    def say(self, remark: str) -> None:
        """Write a line of its own, above the bar."""
        with self._turn:
            if self._is_terminal:
                redraw_line(self._stream, "")
            write_line(self._stream, f"{self._id}: {remark}")
            if self._is_terminal:
                self._draw(at_once=True)

    def _take(self, event: Event) -> None:
        fields, unit = event.fields, event.fields.get("unit", "")
        if event.name == "damaged":
            return
        if event.name not in ("note", "preview", "unit-started"):
            self._note = ""  # the worker is past it, or will not do it any more
        if event.name == "progress":
            self._steps[unit] = int(fields["step"]) / max(1, int(fields["steps"]))
            if unit == self._film:
                self._frames = f", {fields['step']}/{fields['steps']} frames"
        elif event.name == "unit-done":
            self._done = max(self._done, int(fields["done"]))
            self._steps.pop(unit, None)
        elif event.name == "unit-failed":
            self._failed_units.add(unit)
            self._steps.pop(unit, None)
        elif event.name == "unit-retry":
            self._steps.pop(unit, None)
        elif event.name == "note":
            self._note = fields.get("message", "")
        elif event.name != "preview" and not event.name.startswith("unit-"):
            self._state = event.name
            if event.name == "queued":  # again: what failed before is drawn once more
                self._failed_before = 0
                self._failed_units.clear()

    def close(self) -> None:
        """Draw a last time and leave the line."""
        with self._turn:
            self._draw(at_once=True)
            if self._is_terminal:
                write_line(self._stream, "")

    @property
    def fraction(self) -> float:
        """Share of the job that is done, 0 to 1, with the steps of pictures in hand."""
        ended = self._done + self._failed
        return min(1.0, (ended + sum(self._steps.values())) / self._units)

    @property
    def _failed(self) -> int:
        return max(self._failed_before, len(self._failed_units))

    def _draw(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if now - self._drawn_at < (_DRAW_S if self._is_terminal else _LINE_S) and not at_once:
            return
        self._drawn_at = now
        text = self._text(now)
        if self._is_terminal:
            redraw_line(self._stream, self._fitted(text))
        elif text != self._last:
            write_line(self._stream, f"{self._id}: {text}")
        self._last = text

    def _fitted(self, text: str) -> str:
        """Bar and text in one line of the terminal: one that wraps cannot be drawn over."""
        room = _columns(self._stream) - 1
        length = max(0, min(_BAR_CHARACTERS, room - len(text) - 1))
        filled = round(self.fraction * length)
        return f"{'█' * filled}{'░' * (length - filled)} {text}".lstrip()[:room]

    @property
    def _count(self) -> str:
        if not self._film:
            return f"{self._done}/{self._units} pictures"
        if self._units == 1:
            return f"film{self._frames}"
        key_frames = self._units - 1
        return f"{min(self._done, key_frames)}/{key_frames} key frames{self._frames}"

    def _text(self, now: float) -> str:
        text = f"{self.fraction:4.0%} {self._count}, {self._state}"
        if self._failed:
            text += f", {self._failed} failed"
        if self._note:
            text += f", {shown(self._note)}"  # as long here as it will be there
        drawn, seconds = self._done - self._first_done, now - self._began
        if drawn and seconds > 1:
            text += f", {60 * drawn / seconds:.1f}/min"
        return text


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or _COLUMNS
    except OSError:  # it only plays one
        return _COLUMNS
