"""A picture that takes far longer than measured is given up, with the numbers."""

from __future__ import annotations

import pytest

from winepress_shared.errors import RetryElsewhere
from winepress_worker.renderer.pace import Pace

LANE = "a.fp16"


class Clock:
    """Seconds, as the test sets them."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_step_after_the_limit_raises_with_what_the_limit_was_computed_from() -> None:
    """Limit, cost, pace and lane are in the sentence; steps before it are passed on."""
    pace, clock, steps = Pace(), Clock(), []
    pace.learn(LANE, 20.0, 10, cost=1.0)
    limit = pace.limit(LANE, 1.0)
    assert limit.seconds == 200.0
    on_step = limit.watching(lambda done, total: steps.append((done, total)), clock)
    clock.now = 199.0
    on_step(1, 10)
    clock.now = 201.0
    with pytest.raises(
        RetryElsewhere, match=r"time limit is 200 s.*1 megapixel-steps.*0.05 per second.*a\.fp16"
    ):
        on_step(2, 10)
    assert steps == [(1, 10)]


def test_a_picture_that_is_done_is_not_thrown_away() -> None:
    """Its last step may come late."""
    pace, clock = Pace(), Clock()
    pace.learn(LANE, 20.0, 10, cost=1.0)
    on_step = pace.limit(LANE, 1.0).watching(lambda done, total: None, clock)
    clock.now = 1000.0
    on_step(10, 10)


def test_there_is_no_limit_before_the_first_picture_of_a_lane() -> None:
    """What nobody measured cannot be judged."""
    clock = Clock()
    limit = Pace().limit(LANE, 1.0)
    on_step = limit.watching(lambda done, total: None, clock)
    clock.now = 1e9
    on_step(1, 10)
    assert limit.seconds is None
