"""A live board of a farm: lanes, workers, pictures and their rate."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TextIO

from winepress import Client, JobHandle
from winepress_shared.ledger.records import JobRow, Worker
from winepress_shared.polling import poll
from winepress_shared.terminal import redraw_lines, write_line

_LOOK_S = 0.25  #: between two updates
_LINE_S = 2.0  #: between two lines if the output is not a terminal


class Board:
    """Shows some jobs until they end."""

    def __init__(
        self, client: Client, handles: Sequence[JobHandle], stream: TextIO | None = None
    ) -> None:
        self._client = client
        self._handles = handles
        self._stream = stream or sys.stdout
        self._is_terminal = self._stream.isatty()
        self._began = time.monotonic()
        self._said_at = 0.0
        self._height = 0

    def watch(self, until: float, timeout_s: float) -> int:
        """Redraw until the fraction ``until`` of all pictures is done; returns the number done.

        Raises TimeoutError after ``timeout_s`` seconds.
        """
        done = 0

        def is_done() -> bool:
            nonlocal done
            rows = [handle.status() for handle in self._handles]
            done = sum(row.done for row in rows)
            is_over = all(row.state.is_terminal for row in rows)
            self._show(rows, last=is_over)
            return is_over or done >= until * sum(row.units for row in rows)

        if not poll(is_done, every_s=_LOOK_S, timeout_s=timeout_s):
            raise TimeoutError(f"{done} pictures after {timeout_s:.0f} s")
        return done

    def _show(self, rows: Sequence[JobRow], *, last: bool) -> None:
        now = time.monotonic()
        if not self._is_terminal and now - self._said_at < _LINE_S and not last:
            return
        self._said_at = now
        lines = self._lines(rows, now - self._began)
        if self._is_terminal:
            redraw_lines(self._stream, lines, self._height)
            self._height = 0 if last else len(lines)
        else:
            write_line(self._stream, " | ".join(line.strip() for line in lines))

    def _lines(self, rows: Sequence[JobRow], seconds: float) -> list[str]:
        done, units = sum(row.done for row in rows), sum(row.units for row in rows)
        lanes = self._client.ledger.waiting()
        waiting = ", ".join(f"{lane}: {count} waiting" for lane, count in sorted(lanes.items()))
        rate = 60 * done / max(seconds, 1e-3)
        return [
            f"   {done:3} of {units} pictures, {rate:.0f} per minute",
            f"   lanes    {waiting or 'nothing waiting'}",
            *(f"   {_describe(worker)}" for worker in self._client.workers()),
        ]

    def forget_drawing(self) -> None:
        """Leave the drawn board on the screen: other output follows below it."""
        self._height = 0


def _describe(worker: Worker) -> str:
    warm = ", ".join(worker.renderer.get("warm", [])) or "nothing yet"
    return f"worker   {worker.name} on {worker.facts.get('device', '?')}, warm: {warm}"
