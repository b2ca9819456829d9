"""Which jobs bring a fault of surroundings along, by what their worker serves beside them."""

from __future__ import annotations

from winepress_shared.ledger.records import Slice
from winepress_worker.renderer.suspects import KEPT_S, Suspects

LANE = "vignette.fp16"


def part(job: str, lane: str = LANE) -> Slice:
    return Slice(1, job, (0,), False, 0, 0, 0, lane=lane)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_job_is_to_blame_once_another_was_served() -> None:
    """Until then it may be the worker, and what else the lane holds would tell."""
    suspects = Suspects()
    assert not suspects.wait_for_others(LANE)
    suspects.add(part("bad"), 0)
    assert suspects.wait_for_others(LANE)
    assert not suspects.is_to_blame(part("bad"))
    suspects.served(part("good"), 0)
    assert not suspects.wait_for_others(LANE)
    assert suspects.is_to_blame(part("bad"))
    assert not suspects.is_to_blame(part("good"))


def test_another_picture_of_the_same_job_tells_as_much() -> None:
    """And the very picture, once it is drawn, clears the job."""
    suspects = Suspects()
    suspects.add(part("bad"), 3)
    suspects.served(part("bad"), 2)
    assert suspects.is_to_blame(part("bad"))
    suspects.served(part("bad"), 3)
    assert not suspects.is_to_blame(part("bad"))


def test_another_lane_tells_nothing() -> None:
    """It has other surroundings: another model, another device, no disk."""
    suspects = Suspects()
    suspects.add(part("bad"), 0)
    suspects.served(part("film", "film"), 0)
    assert not suspects.is_to_blame(part("bad"))
    suspects.served(part("pinned", f"{LANE}@CPU"), 0)
    assert suspects.is_to_blame(part("bad"))


def test_a_suspicion_is_forgotten_after_a_while() -> None:
    """A disk that is full at ten and again at three is no fault of a job that runs all night."""
    clock = Clock()
    suspects = Suspects(clock)
    suspects.add(part("bad"), 0)
    suspects.served(part("good"), 0)
    clock.now += KEPT_S
    assert not suspects.is_to_blame(part("bad"))


def test_no_more_jobs_are_remembered_than_a_worker_meets_in_an_hour() -> None:
    """The oldest make way."""
    suspects = Suspects()
    for number in range(1000):
        suspects.add(part(f"job{number}"), 0)
    suspects.served(part("good"), 0)
    assert not suspects.is_to_blame(part("job0"))
    assert suspects.is_to_blame(part("job999"))
