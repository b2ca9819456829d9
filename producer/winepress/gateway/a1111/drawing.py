"""``/sdapi/v1/txt2img`` and ``img2img``: draw, and answer when the pictures are there."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from winepress.aio.handle import AsyncJobHandle
from winepress.gateway.a1111.drawing_request import DrawingRequest
from winepress.gateway.a1111.generation_info import answer_of
from winepress.gateway.access import Caller
from winepress.gateway.body import read_object
from winepress.gateway.credentials import CallerOf
from winepress.gateway.departure import while_connected
from winepress.gateway.gateway import Gateway, gateway_of
from winepress.gateway.intake import enter
from winepress.gateway.request_body import OBJECT
from winepress.gateway.sent_names import named_as_sent
from winepress.handle import JobHandle
from winepress_shared.errors import JobCanceled

#: Field of a job → what gives it here beside the fields of a request.
_UNSAID = {
    **dict.fromkeys(("model", "precision", "kind"), "sd_model_checkpoint"),
    "clip_skip": "CLIP_stop_at_last_layers",
}
_TEXT = {"200": {"content": {"application/json": {"schema": {"type": "object"}}}}}

router = APIRouter(prefix="/sdapi/v1", tags=["a1111"])


@router.post("/txt2img", response_class=Response, openapi_extra=OBJECT | {"responses": _TEXT})
async def txt2img(request: Request, caller: CallerOf) -> Response:
    """Draw from words alone."""
    return await _draw(request, caller, has_source=False)


@router.post("/img2img", response_class=Response, openapi_extra=OBJECT | {"responses": _TEXT})
async def img2img(request: Request, caller: CallerOf) -> Response:
    """Draw from words and a picture; with a mask, only where it is white."""
    return await _draw(request, caller, has_source=True)


async def _draw(request: Request, caller: Caller, *, has_source: bool) -> Response:
    """The job goes on if the client leaves meanwhile; `interrupt` stops it."""
    gateway = gateway_of(request)
    client = gateway.client
    body, key = await read_object(request), request.headers.get("idempotency-key")
    with named_as_sent(body, _UNSAID):
        asked = DrawingRequest(body, has_source=has_source)
        handle = await client.in_thread(_enter, gateway, caller, asked, key)
    try:
        await while_connected(request, AsyncJobHandle(client, handle).wait())
    except JobCanceled:  # what is finished is answered
        if not (await client.in_thread(handle.status)).done:
            raise
    answer = await client.in_thread(answer_of, client.client, handle, asked)
    return Response(answer, media_type="application/json")


def _enter(gateway: Gateway, caller: Caller, asked: DrawingRequest, key: str | None) -> JobHandle:
    return enter(gateway, caller, asked.job_request(gateway, caller, key))
