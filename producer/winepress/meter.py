"""What a submission costs whoever submits: reserved before, given back for jobs not accepted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from winepress_shared.jobs.job_record import JobRecord


class Meter(Protocol):
    """Counts jobs against somebody's limits."""

    def reserve(self, records: Sequence[JobRecord]) -> None:
        """Reserve room for all of these jobs; raises if a limit forbids it."""

    def give_back(self, records: Sequence[JobRecord]) -> None:
        """Give back the room of jobs that were not accepted."""


@contextmanager
def metered(meter: Meter | None, records: Sequence[JobRecord]) -> Iterator[list[str]]:
    """Reserve room for jobs, and give back that of each whose id is not in the list afterwards."""
    accepted: list[str] = []
    if meter is None:
        yield accepted
        return
    meter.reserve(records)
    try:
        yield accepted
    finally:
        known = set(accepted)
        left = [record for record in records if record.id not in known]
        if left:
            meter.give_back(left)
