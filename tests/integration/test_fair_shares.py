"""Hours of a busy lane with several workers, in virtual time: who waits how long."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest
from support.audited_farm import LANE, AuditedFarm
from support.virtual_time import VirtualTime

from winepress_shared.ledger.ledger import PATIENCE_MS
from winepress_shared.ledger.records import PRIORITIES, Slice, UnitOutcome

INTERACTIVE, NORMAL, BULK = range(len(PRIORITIES))
_WORKERS = 4
_PICTURE_S = 5.0
_SLICE = 12  #: pictures
_SLICE_S = _SLICE * _PICTURE_S


class Shift:
    """Workers that draw slice after slice; every slice begins and ends at its own time."""

    def __init__(self, farm: AuditedFarm) -> None:
        self.farm = farm
        self.time = VirtualTime(farm)
        self.began = self.time.now_s
        self.begun: list[tuple[float, Slice]] = []  # when each slice was claimed
        self._ends: list[tuple[float, int, Slice | None]] = []
        for worker in range(_WORKERS):
            farm.ledger.beat(f"w{worker}", f"w{worker}/1", {"lanes": [LANE]})
            heapq.heappush(self._ends, (self.began + worker * _SLICE_S / _WORKERS, worker, None))

    def work(self, for_s: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Let ``for_s`` seconds pass; ``meanwhile`` is called before every claim."""
        until = self.time.now_s + for_s
        while self._ends[0][0] <= until:
            at, worker, slice_ = heapq.heappop(self._ends)
            self.time.advance_to(at)
            if slice_ and UnitOutcome.LAST in self.farm.draw(slice_):
                self.farm.ledger.finish(slice_.fence)
            meanwhile()
            slice_ = self.farm.try_claim(_SLICE, f"w{worker}")
            if slice_:
                self.begun.append((at, slice_))
            units = len(slice_.units) if slice_ else 1
            heapq.heappush(self._ends, (at + _PICTURE_S * units, worker, slice_))

    def moments(self, job: str) -> list[float]:
        """When slices of a job were begun, in seconds since the shift began."""
        return [at - self.began for at, slice_ in self.begun if slice_.job_id == job]


def test_an_interactive_job_starts_after_the_slices_already_running(farm: AuditedFarm) -> None:
    """10,000 bulk units wait: the first worker that is free takes the picture someone waits for."""
    farm.submit("bulk", 10_000, user="ann", priority=BULK)
    shift = Shift(farm)
    shift.work(90)
    submitted = shift.time.now_s
    farm.submit("now", user="bob", priority=INTERACTIVE)
    before = len(shift.begun)
    shift.work(120)
    at, slice_ = shift.begun[before]
    assert slice_.job_id == "now"
    assert at - submitted <= _SLICE_S / _WORKERS + 1


def test_lower_priorities_progress_under_an_endless_higher_one(farm: AuditedFarm) -> None:
    """Each gets a slice as often as its patience says, no more; the higher one gets the rest."""
    farm.submit("normal", 1000, user="ann", priority=NORMAL)
    farm.submit("bulk", 1000, user="bob", priority=BULK)
    chance, count = random.Random(1), 0

    def keep_waiting() -> None:
        nonlocal count
        while farm.ledger.waiting()[LANE] < 2000 + 100:
            count += 1
            farm.submit(
                f"hot{count}", chance.randint(1, 40), user=f"u{count % 5}", priority=INTERACTIVE
            )

    shift = Shift(farm)
    hours = 1.0
    shift.work(hours * 3600, keep_waiting)
    drawn = Counter(slice_.job_id for _, slice_ in shift.begun)
    for job, priority in (("normal", NORMAL), ("bulk", BULK)):
        patience_s = PATIENCE_MS[priority] / 1000
        turns = shift.moments(job)
        gaps = [later - sooner for sooner, later in pairwise(turns)]
        # Until a worker is free: slices end a quarter of a minute apart on average.
        assert max(gaps) <= patience_s + _SLICE_S + 1
        assert min(gaps) > patience_s
        assert drawn[job] == pytest.approx(hours * 3600 / patience_s, rel=0.3)
    assert sum(drawn.values()) > 3 * (drawn["normal"] + drawn["bulk"])


def test_a_user_who_floods_the_lane_gets_no_more_of_it_than_others(farm: AuditedFarm) -> None:
    """Three users, one of whom brings ten times as much: equal parts while all of them wait."""
    for user, jobs in (("flood", 10), ("ann", 1), ("bob", 1)):
        for number in range(jobs):
            farm.submit(f"{user}{number}", 600, user=user)
    shift = Shift(farm)
    shift.work(1800)
    drawn: Counter[str] = Counter()
    for _, slice_ in shift.begun:
        drawn[slice_.job_id.rstrip("0123456789")] += len(slice_.units)
    assert min(drawn.values()) > 0.9 * max(drawn.values())
    assert sum(drawn.values()) == pytest.approx(_WORKERS * 1800 / _PICTURE_S, rel=0.05)
