"""A worker learns how fast it is and sizes its slices by that."""

from __future__ import annotations

import pytest

from winepress_worker.renderer.pace import Pace


def test_a_lane_of_unknown_pace_gets_a_small_first_slice() -> None:
    """Nobody commits to an hour of work before the first picture."""
    assert Pace().units_for("vignette.fp16", 60) == 4


def test_a_slice_holds_as_many_pictures_as_fit_into_the_time() -> None:
    """At two seconds a picture, a minute holds thirty."""
    pace = Pace()
    pace.learn("vignette.fp16", 2.0, 20)
    assert pace.units_for("vignette.fp16", 60) == 30


def test_one_slow_picture_is_still_a_slice() -> None:
    """A picture of ten minutes is handed out alone, not never."""
    pace = Pace()
    pace.learn("sdxl-base.fp16", 600.0, 50)
    assert pace.units_for("sdxl-base.fp16", 60) == 1


def test_a_very_fast_lane_is_bounded() -> None:
    """A slice never grows beyond what a lost worker may cost."""
    pace = Pace()
    pace.learn("fake.fp16", 0.0, 1)
    assert pace.units_for("fake.fp16", 60) == 512


def test_the_newest_pictures_count_most_and_one_outlier_does_not_rule() -> None:
    """One hiccup of ten seconds moves the mean by three tenths of it."""
    pace = Pace()
    pace.learn("a.fp16", 1.0, 10)
    pace.learn("a.fp16", 11.0, 10)
    assert pace.facts() == {"a.fp16": pytest.approx(4.0)}


def test_a_first_call_counts_until_the_next_one_and_never_beside_others() -> None:
    """It compiled too; but something is known of a lane that draws one picture an hour."""
    pace = Pace()
    pace.learn("a.fp16", 60.0, 10, is_first=True)
    assert pace.facts() == {"a.fp16": 60.0}
    pace.learn("a.fp16", 2.0, 10)
    assert pace.facts() == {"a.fp16": 2.0}
    pace.learn("a.fp16", 60.0, 10, is_first=True)
    assert pace.facts() == {"a.fp16": 2.0}


def test_the_time_of_a_step_is_the_median_over_all_lanes() -> None:
    """The clock that finds stuck renderers is not fooled by one slow picture."""
    pace = Pace()
    assert pace.step_s == 0.0
    for seconds in (1.0, 1.0, 100.0):
        pace.learn("a.fp16", seconds, 10)
    assert pace.step_s == pytest.approx(0.1)
