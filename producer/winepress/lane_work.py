"""The work that is ready in each lane: a figure for autoscalers and for metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from winepress.paces import Paces
from winepress_shared.ledger.snapshot import FarmSnapshot


@dataclass(frozen=True)
class LaneWork:
    """The work of a lane with waiting or leased units."""

    lane: str
    waiting: int  #: units
    in_hand: int  #: units that workers have taken and not ended
    workers: int  #: that serve it
    ready_work_s: float | None  #: one worker's time for what waits; None: no pace is known
    parked: str  #: why it is parked after a fault; empty if it is not


def units_in_hand(farm: FarmSnapshot) -> Counter[str]:
    """Lane → units that workers have taken and not ended."""
    found: Counter[str] = Counter()
    for held in farm.slices:
        found[held.lane] += held.units
    return found


def lane_work(farm: FarmSnapshot, paces: Paces, costs: Mapping[str, float]) -> list[LaneWork]:
    """Every lane with work.

    ``costs`` are megapixel-steps of a unit, by lane: for lanes where no worker has drawn yet.
    """
    in_hand = units_in_hand(farm)
    found = []
    for state in farm.lanes:
        picture_s = paces.picture_s(state.lane, costs.get(state.lane, 0.0))
        found.append(
            LaneWork(
                lane=state.lane,
                waiting=state.ready,
                in_hand=in_hand[state.lane],
                workers=state.workers,
                ready_work_s=state.ready * picture_s if picture_s or not state.ready else None,
                parked=state.parked,
            )
        )
    return found
