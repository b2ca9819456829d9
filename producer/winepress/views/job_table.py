"""Jobs as rows of tables: what is told of one, and how times are written."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from datetime import datetime

from winepress_shared.ledger.records import JobRow
from winepress_shared.screen.table import Cell, Column, Table, Tone
from winepress_shared.state import JobState

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_TONES: dict[str, Tone] = {
    JobState.RUNNING: Tone.BUSY,
    JobState.SUCCEEDED: Tone.GOOD,
    JobState.FAILED: Tone.BAD,
    JobState.CANCELED: Tone.WARN,
    JobState.EXPIRED: Tone.WARN,
}


class JobTable(Table):
    """One row for each job, as the ledger knows it."""

    def __init__(self, now: float | None = None, *, has_bars: bool = False) -> None:
        """``now`` is the time, in Unix seconds; by default that of this machine."""
        self._now = time.time() if now is None else now
        self._has_bars = has_bars
        super().__init__(
            (
                Column("JOB"),
                Column("STATE", least=9),
                Column("KIND", 4),
                Column("PROGRESS"),
                Column("ETA", 1, least=3),
                Column("AGE", 1, least=3),
                Column("LANE", 2),
                Column("USER", 3),
                Column("CREATED", 5),
            )
        )

    def add_job(self, row: JobRow, notes: Iterable[str] = (), eta_s: float | None = None) -> None:
        """Add a job; ``eta_s`` is the time until it is done, where its pace so far does not say."""
        share = (row.done + row.failed) / row.units if self._has_bars else None
        failed = f"{row.failed} failed" if row.failed else ""
        pinned = ("pinned",) if row.pinned else ()
        self.add(
            row.id,
            state_cell(row.state.value, is_paused=row.paused, is_pending=row.pending),
            row.kind,
            Cell(f"{row.done}/{row.units}", share=share),
            brief(self._pace_eta_s(row) if eta_s is None else eta_s),
            brief(self._now - row.created),
            row.lane,
            row.user,
            _date(row.created),
            notes=(": ".join(filter(None, (failed, row.reason))), *pinned, *notes),
        )

    def _pace_eta_s(self, row: JobRow) -> float | None:
        """Seconds until a running job is done at the pace it had so far."""
        if row.state is not JobState.RUNNING or not row.done or row.started is None:
            return None
        left = row.units - row.done - row.failed
        return left * max(0.0, self._now - row.started) / row.done


def state_cell(state: str, *, is_paused: bool = False, is_pending: bool = False) -> Cell:
    """A state by its name; an unknown one is plain."""
    more = " (pending)" if is_pending else " (paused)" if is_paused else ""
    return Cell(state + more, Tone.WARN if more else _TONES.get(state, Tone.PLAIN))


def brief(seconds: float | None) -> str:
    """A time in at most four characters below a hundred days, rounded down; empty for None."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    whole = max(0, int(seconds))
    size, unit = next((one for one in _UNITS if whole >= one[0]), _UNITS[-1])
    return f"{whole // size}{unit}"


def _date(at: float) -> str:
    """Local date and time of a Unix time; empty for one that no calendar has."""
    try:
        return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return ""
