"""How long work takes, by measured paces."""

from __future__ import annotations

from typing import Any

import pytest

from winepress.estimate import Work, estimate
from winepress.paces import Paces
from winepress_shared.cost import LIMIT_FLOOR_S, limit_s
from winepress_shared.ledger.lanes import InHand, LaneView, Place
from winepress_shared.ledger.records import Worker

LANE, OTHER = "a.fp16", "b.fp16"
NORMAL = 1


def worker(name: str, *lanes: str, rate: float = 0.0, device: str = "CPU") -> Worker:
    """One that draws pictures of one megapixel-step at ``rate`` per second in its first lane."""
    renderer: dict[str, Any] = {}
    if rate:
        renderer = {
            "megapixel_steps_per_s": {lanes[0]: rate},
            "seconds_per_picture": {lanes[0]: 1 / rate},
        }
    return Worker(name, 0.0, {"lanes": list(lanes), "device": device}, renderer)


def view(lane: str, units: int, priority: int = NORMAL) -> LaneView:
    return LaneView(lane, units, priority, units, 0.0, 0.0, 0.0)


ONE = [worker("w1", LANE, OTHER, rate=0.5)]
TEN = Work(LANE, NORMAL, 10, 1.0)


def test_ten_pictures_of_two_seconds_take_twenty_and_half_of_it_with_two_workers() -> None:
    """Nothing else waits."""
    alone = estimate(TEN, Place(), [], Paces(ONE, {}))
    assert (alone.ahead, alone.starts_in_s) == (0, 0.0)
    assert alone.ends_in_s == pytest.approx(20)
    two = [*ONE, worker("w2", LANE, rate=0.5)]
    assert estimate(TEN, Place(), [], Paces(two, {})).ends_in_s == pytest.approx(10)


def test_one_picture_takes_its_time_however_many_workers_there_are() -> None:
    """Many hands do not draw one picture faster."""
    many = [worker(f"w{n}", LANE, rate=0.5) for n in range(50)]
    found = estimate(Work(LANE, NORMAL, 1, 1.0), Place(), [], Paces(many, {}))
    assert found.ends_in_s == pytest.approx(2)


def test_a_job_waits_for_higher_priorities_and_for_earlier_jobs_of_its_user() -> None:
    """All of those go first."""
    found = estimate(TEN, Place(jobs=1, mine=5, higher=4), [], Paces(ONE, {}))
    assert found.ahead == 9
    assert found.starts_in_s == pytest.approx(18)
    assert found.ends_in_s == pytest.approx(38)


def test_other_users_delay_a_job_by_as_much_as_it_has_itself_and_no_more() -> None:
    """They take turns: a flood of one user is not the delay of another."""
    paces = Paces(ONE, {})
    flood = estimate(TEN, Place(others=(100_000,)), [], paces)
    assert flood.starts_in_s == pytest.approx(60), "one slice goes first"
    assert flood.ends_in_s == pytest.approx(80)
    few = estimate(TEN, Place(others=(3,)), [], paces)
    assert few.ahead == 2
    assert few.ends_in_s == pytest.approx(26)


def test_lanes_of_the_same_workers_share_their_time() -> None:
    """A higher priority of another lane goes first; an equal one takes as long as this one."""
    both = [worker("w1", LANE, OTHER, rate=0.5), worker("w2", OTHER, rate=0.5)]
    both[0].renderer["megapixel_steps_per_s"][OTHER] = 0.5
    paces = Paces(both, {})
    assert estimate(TEN, Place(), [view(OTHER, 100, 0)], paces).ends_in_s == pytest.approx(120)
    assert estimate(TEN, Place(), [view(OTHER, 100)], paces).ends_in_s == pytest.approx(40)
    assert estimate(TEN, Place(), [view(OTHER, 100, 2)], paces).ends_in_s == pytest.approx(20)
    apart = Paces([ONE[0], worker("w2", "c.fp16", rate=1.0)], {})
    assert estimate(TEN, Place(), [view("c.fp16", 99)], apart).ends_in_s == pytest.approx(20)


def test_a_worker_that_has_not_drawn_has_the_pace_of_its_device() -> None:
    """As last measured there by any worker; else the mean of those that have drawn."""
    fresh = [worker("w1", LANE, device="NPU"), worker("w2", LANE, rate=2.0)]
    assert Paces(fresh, {f"{LANE} NPU": 8.0}).rates(LANE) == [8.0, 2.0]
    assert Paces(fresh, {f"{LANE} GPU": 8.0}).rates(LANE) == [2.0, 2.0]
    cold = Paces([fresh[0]], {f"{LANE} NPU": 8.0})
    assert estimate(TEN, Place(), [], cold).ends_in_s == pytest.approx(10 / 8)


def test_a_job_waits_for_what_its_worker_has_in_hand() -> None:
    """Of its own priority or a higher one to its end, of a lower one for one picture."""
    paces = Paces(ONE, {})
    for priority, pictures in ((0, 30), (NORMAL, 30), (2, 1)):
        found = estimate(TEN, Place(in_hand=(InHand("w1", LANE, priority, 30),)), [], paces)
        assert found.ahead == pictures
        assert found.starts_in_s == pytest.approx(2 * pictures)
        assert found.ends_in_s == pytest.approx(2 * pictures + 20)


def test_what_is_in_hand_takes_as_long_as_in_its_own_lane_and_on_its_own_worker() -> None:
    """A film of another lane is not over as soon as a picture."""
    one = worker("w1", LANE, OTHER, rate=0.5)
    one.renderer["seconds_per_picture"][OTHER] = 30.0
    other_lane = Place(in_hand=(InHand("w1", OTHER, NORMAL, 2),))
    assert estimate(TEN, other_lane, [], Paces([one], {})).starts_in_s == pytest.approx(60)
    slow = worker("slow", LANE, rate=0.25)
    both = Place(in_hand=(InHand("w1", LANE, NORMAL, 5), InHand("slow", LANE, NORMAL, 5)))
    assert estimate(TEN, both, [], Paces([one, slow], {})).starts_in_s == pytest.approx(10)


def test_a_worker_that_is_free_begins_at_once_and_one_that_is_not_helps_later() -> None:
    """Ten pictures of two seconds: the first eight seconds are of one worker alone."""
    two = Paces([*ONE, worker("w2", LANE, rate=0.5)], {})
    found = estimate(TEN, Place(in_hand=(InHand("w2", LANE, NORMAL, 4),)), [], two)
    assert (found.ahead, found.starts_in_s) == (0, 0.0)
    assert found.ends_in_s == pytest.approx(14)


def test_pictures_that_share_a_call_end_together() -> None:
    """A slice of a lower priority ends with its call, not in the middle of it."""
    one = worker("w1", LANE, rate=0.5)
    one.renderer["pictures_per_call"] = {LANE: 4}
    place = Place(in_hand=(InHand("w1", LANE, 2, 30),))
    assert estimate(TEN, place, [], Paces([one], {})).starts_in_s == pytest.approx(8)


@pytest.mark.parametrize(
    ("work", "place", "workers"),
    [
        (TEN, Place(), []),
        (TEN, Place(), [worker("w1", LANE)]),
        (TEN, Place(paused=("farm",)), ONE),
        (TEN, Place(parked="the disk is full"), ONE),
        (Work(LANE, NORMAL, 10, 1.0, is_held=True), Place(), ONE),
    ],
)
def test_no_time_is_promised_where_none_can_be(
    work: Work, place: Place, workers: list[Worker]
) -> None:
    """No worker, no pace, or held back: a number would be a lie."""
    found = estimate(work, place, [], Paces(workers, {}))
    assert (found.starts_in_s, found.ends_in_s) == (None, None)


def test_the_time_limit_is_ten_times_the_measured_pace_with_a_floor() -> None:
    """By the slowest worker of the lane; none before a pace is known."""
    assert limit_s(100.0, 0.5) == 2000.0
    assert limit_s(1.0, 0.5) == LIMIT_FLOOR_S
    assert limit_s(1.0, 0.0) is None
    paces = Paces([worker("w1", LANE, rate=0.5), worker("w2", LANE, rate=0.02)], {})
    assert estimate(TEN, Place(), [], paces).limit_s == 500.0
