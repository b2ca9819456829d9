"""What Flower shows of a ticket."""

from __future__ import annotations

_JOBS_NAMED = 3


def summary_of(lane: str, jobs: list[str], pictures: int, seconds: float) -> str:
    """A line on what came of it."""
    if not jobs:
        return f"{lane}: nothing left to do"
    named = ", ".join(jobs[:_JOBS_NAMED])
    more = f" and {len(jobs) - _JOBS_NAMED} more" if len(jobs) > _JOBS_NAMED else ""
    count = f"{pictures} picture{'' if pictures == 1 else 's'}"
    pace = f"{60 * pictures / seconds:.1f}/min"
    return f"{lane}: {count} in {seconds:.1f} s, {pace}, for {named}{more}"
