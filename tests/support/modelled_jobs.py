"""What must be true of jobs and slices, whatever was done to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from winepress_shared.ledger.records import Slice
from winepress_shared.state import JobState

ALIVE = (JobState.QUEUED, JobState.RUNNING)


@dataclass
class Job:
    """What must be true of one job."""

    id: str
    units: int
    chained: bool
    state: JobState = JobState.QUEUED
    done: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    is_pending: bool = False

    @property
    def has_ended_all(self) -> bool:
        return len(self.done) + len(self.failed) == self.units


@dataclass
class Held:
    """What must be true of one slice."""

    slice: Slice
    job: Job
    worker: str
    holder: str
    open: set[int]
    is_live: bool = True  # nobody took it away
    finish: bool = False

    @property
    def may_report(self) -> bool:
        return self.is_live and self.job.state is JobState.RUNNING
