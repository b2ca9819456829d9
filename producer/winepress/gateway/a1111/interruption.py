"""``/sdapi/v1/interrupt`` and ``skip``: stop the caller's newest job, and nobody else's."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from winepress.client import Client
from winepress.gateway.a1111.work_in_hand import newest_job
from winepress.gateway.access import Caller
from winepress.gateway.callers import SubmitterOf
from winepress.gateway.gateway import gateway_of
from winepress_shared.errors import Conflict, NotFound

_REASON = "interrupted by its client"

router = APIRouter(prefix="/sdapi/v1", tags=["a1111"])


@router.post("/interrupt")
async def interrupt(request: Request, caller: SubmitterOf) -> dict[str, Any]:
    """Stop the newest job of the caller; its finished pictures are answered to who waits for it."""
    return await _stop(request, caller)


@router.post("/skip")
async def skip(request: Request, caller: SubmitterOf) -> dict[str, Any]:
    """Stop the newest job of the caller at its last picture; refused while more are to come."""
    return await _stop(request, caller, only_last=True)


async def _stop(request: Request, caller: Caller, *, only_last: bool = False) -> dict[str, Any]:
    client = gateway_of(request).client
    await client.in_thread(_cancel, client.client, caller, only_last)
    return {}


def _cancel(client: Client, caller: Caller, only_last: bool) -> None:
    row = newest_job(client, caller)
    if row is None:
        return
    left = row.units - row.done - row.failed
    if only_last and left > 1:
        raise Conflict(
            "one picture of several cannot be skipped",
            value=row.id,
            hint="POST /sdapi/v1/interrupt stops the job and keeps what is finished",
        )
    try:
        client.cancel(row.id, _REASON)
    except (Conflict, NotFound):  # it has ended meanwhile
        return
