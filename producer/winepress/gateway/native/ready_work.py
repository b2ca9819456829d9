"""``/v1/ready-work``: one number for autoscalers, the seconds of work for workers of one kind."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from statistics import fmean
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from winepress.client import Client
from winepress.gateway.credentials import CallerOf
from winepress.gateway.gateway import gateway_of
from winepress.lane_work import units_in_hand
from winepress.paces import Paces
from winepress_shared.lane import FILM, device_class
from winepress_shared.ledger.snapshot import FarmSnapshot

#: What a lane of unknown pace counts, however much waits: one worker comes and measures.
UNKNOWN_S = 60.0
_MOST_WORKERS, _MOST_JOBS = 10_000, 1_000  #: looked at

router = APIRouter(prefix="/v1", tags=["farm"])


class ReadyWork(BaseModel):
    """Work that workers of one kind could do now, or do."""

    ready_work_s: float = Field(
        description="seconds that one worker needs for what waits and is in hand, without lanes "
        f"that are paused; a lane of which no pace is known counts {UNKNOWN_S:.0f} s"
    )
    waiting: int = Field(description="pictures that no worker has taken")
    in_hand: int = Field(description="pictures that workers have taken and not finished")
    unknown: list[str] = Field(description="lanes of which no pace is known")


@router.get("/ready-work")
async def ready_work(
    request: Request,
    caller: CallerOf,
    device: Annotated[
        Literal["CPU", "GPU", "NPU"] | None, Query(description="work that this class may do")
    ] = None,
    lanes: Annotated[
        str, Query(max_length=1000, description="patterns of lanes, with commas between")
    ] = "*",
) -> ReadyWork:
    """Seconds of work for workers of one class of device that serve these lanes."""
    gateway = gateway_of(request)
    patterns = [one for one in lanes.split(",") if one]
    return await gateway.client.in_thread(_look, gateway.client.client, device, patterns)


def _look(client: Client, device: str | None, patterns: Collection[str]) -> ReadyWork:
    farm = client.snapshots.take(_MOST_WORKERS, _MOST_JOBS)
    return count_work(farm, client.lanes.paces(), device, patterns)


def count_work(
    farm: FarmSnapshot, measured: Mapping[str, float], device: str | None, patterns: Collection[str]
) -> ReadyWork:
    """The work of a farm for workers of class ``device`` that serve what ``patterns`` name.

    ``measured`` is the answer of `LaneIndex.paces`: what is known when no worker is alive.
    """
    paces = Paces(farm.workers, measured)
    found = ReadyWork(ready_work_s=0.0, waiting=0, in_hand=0, unknown=[])
    in_hand = units_in_hand(farm)
    for state in farm.lanes:
        if not _is_for(state.lane, device, patterns):
            continue
        is_paused = "farm" in farm.pauses or f"lane:{state.lane}" in farm.pauses
        waiting = 0 if is_paused else state.ready
        units = waiting + in_hand[state.lane]
        picture_s = _picture_s(farm, paces, measured, state.lane)
        found.waiting += waiting
        found.in_hand += in_hand[state.lane]
        if units and not picture_s:
            found.unknown.append(state.lane)
        found.ready_work_s += units * picture_s or (UNKNOWN_S if units else 0.0)
    return found


def _is_for(lane: str, device: str | None, patterns: Collection[str]) -> bool:
    """As a worker of the class and with the patterns decides it: films are for CPUs first."""
    if lane == FILM:
        fits = device in ("CPU", None) or FILM in patterns
    else:
        fits = device is None or device_class(lane) in ("", device)
    return fits and any(fnmatchcase(lane, pattern) for pattern in patterns)


def _picture_s(farm: FarmSnapshot, paces: Paces, measured: Mapping[str, float], lane: str) -> float:
    """Seconds for a picture, by the live workers or else by those of before; 0: nobody knows."""
    costs = [row.cost for row in farm.jobs if row.lane == lane]
    cost = fmean(costs) if costs else 0.0
    known = paces.picture_s(lane, cost)
    if known:
        return known
    rates = [rate for name, rate in measured.items() if name.partition(" ")[0] == lane and rate > 0]
    return cost / fmean(rates) if rates else 0.0
