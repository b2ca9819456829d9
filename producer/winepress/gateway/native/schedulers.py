"""``/v1/schedulers``: what a job may name as its scheduler."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter
from pydantic import BaseModel, Field

from winepress.gateway.credentials import CallerOf
from winepress_shared.jobs.schedulers import SCHEDULERS, SCHEDULES

router = APIRouter(prefix="/v1", tags=["farm"])


class SchedulerView(BaseModel):
    """A scheduler, with one of its noise schedules."""

    name: str = Field(description="for the field `scheduler` of a job")
    label: str = Field(description="what people call it")


class SchedulerList(BaseModel):
    """Every scheduler."""

    schedulers: list[SchedulerView]


@router.get("/schedulers")
async def list_schedulers(caller: CallerOf) -> SchedulerList:
    """Every scheduler; any model takes any of them."""
    return SchedulerList(schedulers=list(_views()))


def _views() -> Iterator[SchedulerView]:
    for one in SCHEDULERS:
        yield SchedulerView(name=one.name, label=one.label)
        for schedule, setting in SCHEDULES.items():
            if one.schedules and setting:
                name, label = f"{one.name}:{schedule}", f"{one.label}, {schedule}"
                yield SchedulerView(name=name, label=label)
