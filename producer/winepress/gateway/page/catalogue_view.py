"""``/v1/catalogue``: what each model takes, and whether a worker can draw with it now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from winepress.client import Client
from winepress.gateway.access import Caller
from winepress.gateway.credentials import CallerOf
from winepress.gateway.gateway import gateway_of
from winepress_shared.jobs.job import Inpaint, TextToImage
from winepress_shared.jobs.schedulers import SCHEDULERS, SCHEDULES
from winepress_shared.lane import Lane, Precision
from winepress_shared.ledger.records import Worker
from winepress_shared.model import Model
from winepress_shared.option_checks import DEFAULT_STRENGTH

router = APIRouter(prefix="/v1", tags=["farm"])


class ModelView(BaseModel):
    """A model of the catalogue: its defaults and limits; sizes are in pixels."""

    name: str
    title: str
    kinds: list[str]
    precisions: list[Precision]
    ready: list[Precision] = Field(description="precisions that a live worker serves")
    width: int
    height: int
    size_multiple: int
    max_side: int
    num_inference_steps: int
    max_steps: int
    guidance_scale: float
    takes_negative_prompt: bool
    strength: float
    scheduler: str
    has_previews: bool
    notes: str


class SchedulerView(BaseModel):
    """A scheduler, and what people call it."""

    name: str
    label: str


class CatalogueView(BaseModel):
    """Everything a job may name."""

    models: list[ModelView]
    schedulers: list[SchedulerView]
    defaults: dict[str, str] = Field(description="kind of job → model, unless it names one")


@router.get("/catalogue")
async def catalogue(request: Request, caller: CallerOf) -> CatalogueView:
    """Every model that the caller may use, and every scheduler."""
    gateway = gateway_of(request)
    return await gateway.client.in_thread(_view, gateway.client.client, caller)


def _view(client: Client, caller: Caller) -> CatalogueView:
    workers = client.workers()
    names = [
        name for name in client.catalogue.names if caller.models is None or name in caller.models
    ]
    return CatalogueView(
        models=[_model(client.catalogue.get(name), workers) for name in names],
        schedulers=[SchedulerView(name=name, label=label) for name, label in _schedulers()],
        defaults={
            kind.model_fields["kind"].default: kind.model_fields["model"].default
            for kind in (TextToImage, Inpaint)
        },
    )


def _model(model: Model, workers: Sequence[Worker]) -> ModelView:
    shared = set(ModelView.model_fields) & set(Model.model_fields) - {"strength"}
    ready = [
        precision
        for precision in model.precisions
        if any(worker.serves(str(Lane(model.name, precision))) for worker in workers)
    ]
    return ModelView(
        **{name: getattr(model, name) for name in shared},
        ready=ready,
        takes_negative_prompt=not model.embedded_guidance,
        strength=model.strength or DEFAULT_STRENGTH,
        has_previews=model.has_previews,
    )


def _schedulers() -> Iterator[tuple[str, str]]:
    """Name and label of each scheduler, with each of its noise schedules."""
    for one in SCHEDULERS:
        yield one.name, one.label
        for schedule, setting in SCHEDULES.items():
            if one.schedules and setting:
                yield f"{one.name}:{schedule}", f"{one.label}, {schedule}"
