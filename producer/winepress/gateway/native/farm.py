"""``/v1/workers`` and ``/v1/lanes``: who works, and what waits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from winepress.client import Client
from winepress.gateway.access import Caller, Scope
from winepress.gateway.credentials import CallerOf
from winepress.gateway.gateway import gateway_of
from winepress.lane_work import lane_work
from winepress.paces import Paces
from winepress_shared.ledger.records import Worker

_MOST_WORKERS, _MOST_LANES = 10_000, 1_000  #: looked at

router = APIRouter(prefix="/v1", tags=["farm"])


class WorkerView(BaseModel):
    """A live worker."""

    name: str
    seen: float = Field(description="last heartbeat, Unix seconds")
    facts: dict[str, Any] = Field(description="device, lanes, host, version")
    renderer: dict[str, Any] = Field(description="warm models, pace, memory")


class WorkerList(BaseModel):
    """Every live worker, by name."""

    workers: list[WorkerView]


class LaneView(BaseModel):
    """A lane with waiting or leased pictures."""

    lane: str
    waiting: int = Field(description="pictures that no worker has taken")
    in_hand: int = Field(description="pictures that workers have taken and not finished")
    workers: int = Field(description="that serve the lane now")
    ready_work_s: float | None = Field(
        description="seconds that one worker needs for what waits; null: no pace is known"
    )
    parked: str = Field(description="why it is parked after a fault; empty if it is not")


class LaneList(BaseModel):
    """Every lane with work."""

    lanes: list[LaneView]
    paused: list[str] = Field(description="farm, lane:LANE, user:USER")


@router.get("/workers")
async def list_workers(request: Request, caller: CallerOf) -> WorkerList:
    """Every live worker."""
    gateway = gateway_of(request)
    workers = await gateway.client.in_thread(gateway.workers.now)
    return WorkerList(workers=[_worker(one) for one in workers])


def _worker(worker: Worker) -> WorkerView:
    return WorkerView(
        name=worker.name, seen=worker.seen, facts=worker.facts, renderer=worker.renderer
    )


@router.get("/lanes")
async def list_lanes(request: Request, caller: CallerOf) -> LaneList:
    """The lanes with work, and how many seconds of it are ready: a figure for autoscalers."""
    gateway = gateway_of(request)
    return await gateway.client.in_thread(_lanes, gateway.client.client, caller)


def _lanes(client: Client, caller: Caller) -> LaneList:
    farm = client.snapshots.take(_MOST_WORKERS, 0)
    paces = Paces(farm.workers, client.lanes.paces())
    costs = {lane.lane: lane.cost for lane in client.measures.take(_MOST_LANES).lanes}
    lanes = [LaneView(**asdict(work)) for work in lane_work(farm, paces, costs)]
    return LaneList(lanes=lanes, paused=[one for one in farm.pauses if _may_know(caller, one)])


def _may_know(caller: Caller, pause: str) -> bool:
    """Whether a caller may be told of a pause: names of other users are none of its business."""
    kind, _, name = pause.partition(":")
    return kind != "user" or caller.may(Scope.READ_ALL) or caller.is_user(name)
