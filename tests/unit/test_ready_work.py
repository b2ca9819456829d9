"""How many workers an autoscaler asks for."""

from __future__ import annotations

from typing import Any

import pytest

from winepress.gateway.native.ready_work import UNKNOWN_S, count_work
from winepress_shared.ledger.records import Worker
from winepress_shared.ledger.snapshot import FarmSnapshot, LaneState, SliceInHand

_LANE = "vignette.fp16"


class Row:
    """As much of a job's row as is looked at."""

    def __init__(self, lane: str, cost: float) -> None:
        self.lane, self.cost = lane, cost


def _farm(*lanes: LaneState, **values: Any) -> FarmSnapshot:
    empty: dict[str, Any] = {"pauses": (), "workers": (), "slices": (), "jobs": ()}
    given = empty | {"loading": {}, "running": 0, "queued": 0} | values
    return FarmSnapshot(at=0.0, lanes=lanes, worker_count=len(given["workers"]), **given)


def _lane(lane: str = _LANE, ready: int = 10) -> LaneState:
    return LaneState(lane, ready, 0, "")


def _worker(seconds: float) -> Worker:
    facts = {"lanes": [_LANE], "device": "CPU"}
    return Worker("w", 0.0, facts, {"seconds_per_picture": {_LANE: seconds}})


def test_what_waits_and_what_is_in_hand_count_at_the_pace_of_the_workers() -> None:
    """A worker that draws its last picture is not taken from the farm."""
    held = SliceInHand("w", "j", _LANE, 0, 0.5, 4)
    work = count_work(_farm(_lane(), workers=(_worker(3.0),), slices=(held,)), {}, "CPU", ["*"])
    assert (work.waiting, work.in_hand, work.ready_work_s, work.unknown) == (10, 4, 42.0, [])


def test_a_farm_without_workers_knows_the_pace_of_those_before() -> None:
    """It comes back from none with as many as the work needs."""
    farm = _farm(_lane(), jobs=(Row(_LANE, 6.0),))
    measured = {f"{_LANE} GPU.1": 2.0, f"{_LANE} CPU": 2.0, "other.fp16 CPU": 100.0}
    assert count_work(farm, measured, None, ["*"]).ready_work_s == pytest.approx(30.0)


def test_a_lane_of_unknown_pace_asks_for_one_worker_whatever_waits() -> None:
    """It measures the pace, and the rest follows."""
    work = count_work(_farm(_lane(ready=1_000_000)), {}, "CPU", ["*"])
    assert (work.ready_work_s, work.unknown) == (UNKNOWN_S, [_LANE])


def test_nothing_asks_for_nobody() -> None:
    """Also where a lane is known that has no work now."""
    for farm in (_farm(), _farm(_lane(ready=0))):
        work = count_work(farm, {}, "CPU", ["*"])
        assert (work.ready_work_s, work.unknown) == (0.0, [])


@pytest.mark.parametrize("pause", ["farm", f"lane:{_LANE}"])
def test_what_is_paused_asks_for_nobody(pause: str) -> None:
    """But what is in hand is finished."""
    farm = _farm(_lane(), workers=(_worker(3.0),), pauses=(pause,))
    assert count_work(farm, {}, "CPU", ["*"]).ready_work_s == 0
    held = (SliceInHand("w", "j", _LANE, 0, 0.5, 1),)
    farm = _farm(_lane(), workers=(_worker(3.0),), pauses=(pause,), slices=held)
    assert count_work(farm, {}, "CPU", ["*"]).ready_work_s == 3


@pytest.mark.parametrize(
    ("device", "patterns", "waiting"),
    [
        ("CPU", ["*"], 1 + 4 + 8),
        ("GPU", ["*"], 1 + 2),
        ("GPU", ["*", "film"], 1 + 2 + 8),
        ("NPU", ["*"], 1),
        (None, ["vignette.*"], 1 + 2 + 4),
        (None, ["*@GPU"], 2),
        ("CPU", [], 0),
    ],
)
def test_each_kind_of_worker_is_asked_for_what_it_can_do(
    device: str | None, patterns: list[str], waiting: int
) -> None:
    """By device and by lane, as its workers decide themselves."""
    names = (_LANE, f"{_LANE}@GPU", f"{_LANE}@CPU", "film")
    lanes = [_lane(name, 2**power) for power, name in enumerate(names)]
    assert count_work(_farm(*lanes), {}, device, patterns).waiting == waiting
