"""``/v1/jobs/ID/events``: what happens to a job, as Server-Sent Events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse

from winepress.gateway.credentials import CallerOf
from winepress.gateway.event_feed import EventFeed
from winepress.gateway.gateway import gateway_of

_EVENT_ID = r"^[0-9]{1,19}(-[0-9]{1,19})?$"

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get(
    "/{job_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def job_events(
    request: Request,
    caller: CallerOf,
    job_id: str,
    after: Annotated[str | None, Query(pattern=_EVENT_ID)] = None,
    previews: bool = True,
    last_event_id: Annotated[str | None, Header(pattern=_EVENT_ID)] = None,
) -> StreamingResponse:
    """The events of a job until it ends; ``Last-Event-ID`` or ``after`` continues after an event.

    An event ``preview`` has the picture as a ``data:`` URL in ``image``.
    """
    gateway = gateway_of(request)
    await gateway.row_for(caller, job_id)
    handle = gateway.handle(job_id)
    cache = gateway.previews if previews else None
    return EventFeed(handle, cache, last_event_id or after).response()
