"""``/sdapi/v1/progress``: how far the caller's newest job is; and ``/internal/ping``."""

from __future__ import annotations

import base64
from typing import Any

from fastapi import APIRouter, Request

from winepress.client import Client
from winepress.estimate import estimate_of
from winepress.explanation import place_of
from winepress.gateway.a1111.work_in_hand import WorkInHand, work_in_hand
from winepress.gateway.access import Caller
from winepress.gateway.credentials import CallerOf
from winepress.gateway.gateway import Gateway, gateway_of
from winepress.gateway.refusals import NoRoute
from winepress_shared.ledger.records import JobRow

_LEAST = 0.01  #: what A1111 says as soon as there is a job

router = APIRouter(tags=["a1111"])


@router.get("/sdapi/v1/progress")
async def progress(
    request: Request, caller: CallerOf, skip_current_image: bool = False
) -> dict[str, Any]:
    """Zeros while the caller has no job."""
    gateway = gateway_of(request)
    return await gateway.client.in_thread(_progress, gateway, caller, not skip_current_image)


@router.post("/internal/progress", include_in_schema=False)
async def refuse_progress_of_task(caller: CallerOf) -> None:
    """Say what takes the place of this route, which is that of A1111's own page."""
    raise NoRoute(
        "progress has no route for a single task",
        hint="GET /sdapi/v1/progress tells of your newest job; a request to draw with the same "
        "force_task_id waits for the same job again",
    )


@router.get("/internal/ping")
async def ping() -> dict[str, Any]:
    """Whether this process answers."""
    return {}


def _progress(gateway: Gateway, caller: Caller, has_image: bool) -> dict[str, Any]:
    client = gateway.client.client
    work = work_in_hand(client, caller)
    image = None if work is None or not has_image else _image(client, work)
    return {
        "progress": 0.0 if work is None else max(_LEAST, work.progress),
        "eta_relative": 0.0 if work is None else _left_s(gateway, work.row),
        "state": _state(work),
        "current_image": image,
        "textinfo": None,
        "current_task": None if work is None else work.row.id,
    }


def _left_s(gateway: Gateway, row: JobRow) -> float:
    """Seconds until the job is done; 0 while no pace is known."""
    lanes = gateway.client.client.lanes
    return estimate_of(row, place_of(lanes, row), lanes, gateway.workers.now()).ends_in_s or 0.0


def _image(client: Client, work: WorkInHand) -> str | None:
    """The newest preview, a JPEG in base64: clients find out the format from the bytes."""
    preview = None if work.previewed is None else client.previews.get(work.row.id, work.previewed)
    return None if preview is None else base64.b64encode(preview.jpeg).decode()


def _state(work: WorkInHand | None) -> dict[str, Any]:
    row = work and work.row
    return {
        "skipped": False,
        "interrupted": False,
        "stopping_generation": False,
        "job": row.id if row else "",
        "job_count": row.units if row else 0,
        "job_timestamp": work.started if work else "0",
        "job_no": row.done + row.failed if row else 0,
        "sampling_step": work.step if work else 0,
        "sampling_steps": work.steps if work else 0,
    }
