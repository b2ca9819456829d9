"""Jobs and leases of the in-memory ledger."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Self

from winepress_shared.ledger.records import PRIORITIES, JobRow
from winepress_shared.ledger.submissions import Submission
from winepress_shared.state import JobState


@dataclass
class HeldJob:
    """A job; each of its units waits, is leased, or has ended with an object or an error."""

    known: JobRow  #: its row, without the units that have ended
    new: Submission
    ended: dict[int, dict[str, Any]]
    waiting: list[int] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)  #: started and not committed

    @classmethod
    def of(cls, new: Submission, kept: dict[int, dict[str, Any]]) -> Self:
        """A new job; the objects of ``kept`` are already in the store."""
        place = (new.kind, new.lane, new.user, PRIORITIES[new.priority], new.units, 0, 0)
        times = (time.time(), None, None, None)
        row = JobRow(new.id, JobState.QUEUED, *place, *times, paused=False, reason="")
        job = cls(replace(row, cost=new.cost), new, kept)
        job.queue()
        return job

    def queue(self) -> None:
        """Make every unit without an object wait."""
        self.ended = {unit: row for unit, row in self.ended.items() if "error" not in row}
        self.waiting = [unit for unit in range(self.new.units) if unit not in self.ended]
        self.become(state=JobState.QUEUED, paused=False, reason="")

    def wait_again(self, units: list[int]) -> None:
        """Make units that were given out wait again, in order."""
        self.waiting = sorted([*self.waiting, *units])

    @property
    def row(self) -> JobRow:
        """Its current row."""
        failed = sum("error" in row for row in list(self.ended.values()))
        return replace(self.known, failed=failed, done=len(self.ended) - failed)

    def become(self, **changes: Any) -> None:
        """Change the row."""
        self.known = replace(self.known, **changes)

    @property
    def is_suspect(self) -> bool:
        """Whether its next unit was started before."""
        return bool(self.waiting) and self.waiting[0] in self.attempts

    @property
    def has_ended_all(self) -> bool:
        """True when only the result remains to be written."""
        return len(self.ended) == self.new.units


@dataclass
class HeldLease:
    """A slice that a worker holds."""

    job: HeldJob
    open: list[int]  #: units that have not ended
    again: bool = False  #: its only unit was started before
    begun: set[int] = field(default_factory=set)
