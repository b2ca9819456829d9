"""Which jobs bring a fault of surroundings along, by what their worker serves beside them."""

from __future__ import annotations

from winepress_shared.ledger.records import Slice
from winepress_worker.renderer.suspects import KEPT_S, Suspects

LANE = "vignette.fp16"


def slice_of(job: str, lane: str = LANE) -> Slice:
    return Slice(1, job, (0,), False, 0, 0, 0, lane=lane)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_job_is_to_blame_once_another_was_served() -> None:
    """Until then it may be the worker, and what else the lane holds would tell."""
    suspects = Suspects()
    assert not suspects.wait_for_others(LANE)
    suspects.add(slice_of("bad"), 0)
    assert suspects.wait_for_others(LANE)
    assert not suspects.is_to_blame(slice_of("bad"))
    suspects.served(slice_of("good"), 0)
    assert not suspects.wait_for_others(LANE)
    assert suspects.is_to_blame(slice_of("bad"))
    assert not suspects.is_to_blame(slice_of("good"))


def test_another_picture_of_the_same_job_tells_as_much() -> None:
    """And the very picture, once it is drawn, clears the job."""
    suspects = Suspects()
    suspects.add(slice_of("bad"), 3)
    suspects.served(slice_of("bad"), 2)
    assert suspects.is_to_blame(slice_of("bad"))
    suspects.served(slice_of("bad"), 3)
    assert not suspects.is_to_blame(slice_of("bad"))


def test_another_lane_tells_nothing() -> None:
    """It has other surroundings: another model, another device, no disk."""
    suspects = Suspects()
    suspects.add(slice_of("bad"), 0)
    suspects.served(slice_of("film", "film"), 0)
    assert not suspects.is_to_blame(slice_of("bad"))
    suspects.served(slice_of("pinned", f"{LANE}@CPU"), 0)
    assert suspects.is_to_blame(slice_of("bad"))


def test_a_suspicion_is_forgotten_after_a_while() -> None:
    """A disk that is full at ten and again at three is no fault of a job that runs all night."""
    clock = Clock()
    suspects = Suspects(clock)
    suspects.add(slice_of("bad"), 0)
    suspects.served(slice_of("good"), 0)
    clock.now += KEPT_S
    assert not suspects.is_to_blame(slice_of("bad"))


def test_no_more_jobs_are_remembered_than_a_worker_meets_in_an_hour() -> None:
    """The oldest make way."""
    suspects = Suspects()
    for number in range(1000):
        suspects.add(slice_of(f"job{number}"), 0)
    suspects.served(slice_of("good"), 0)
    assert not suspects.is_to_blame(slice_of("job0"))
    assert suspects.is_to_blame(slice_of("job999"))
