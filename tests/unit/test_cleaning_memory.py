"""A cleaning of a large store needs no more memory than one of a small store."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

from winepress.cleaning import Cleaning
from winepress_shared.stores.base import StoredObject

_NOW = 2_000_000_000.0


class LargeStore:
    """Jobs with one picture each, which ended long ago; every third one is still listed."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self.asked = 0

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """See `Store.list`."""
        for number in range(self._jobs):
            for name in ("job.json", "out/000000.png", "result.json"):
                yield StoredObject(f"{prefix}j{number:07d}/{name}", 1000, written=1.0)

    def unknown_jobs(self, job_ids: Sequence[str]) -> Sequence[str]:
        """See `QueueLimits.unknown_jobs`."""
        self.asked = max(self.asked, len(job_ids))
        return [one for one in job_ids if int(one[1:]) % 3]


def _peak(jobs: int) -> tuple[int, int]:
    """How many jobs may go, and the most bytes in use meanwhile."""
    store = LargeStore(jobs)
    parts: Any = SimpleNamespace(archive=SimpleNamespace(store=store), farm=store)
    tracemalloc.start()
    try:
        count = sum(1 for _ in Cleaning(cast("Any", parts), 30, dry_run=True, now=_NOW).run())
        return count, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_store() -> None:
    """It goes on page by page, also over jobs that may not go."""
    (few, small), (many, large) = _peak(3_000), _peak(12_000)
    assert (few, many) == (2_000, 8_000)
    assert large < 1.5 * small
