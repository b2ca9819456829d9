"""``/metrics``: the farm and this gateway, for Prometheus."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import PlainTextResponse, Response

from winepress.gateway.callers import WatcherOf
from winepress.gateway.gateway import gateway_of
from winepress.metrics.exposition import exposition

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(
    request: Request, caller: WatcherOf, accept: Annotated[str, Header()] = ""
) -> Response:
    """What Prometheus reads, in its own format or as OpenMetrics; docs/metrics.md has the list."""
    gateway = gateway_of(request)
    samples = await gateway.client.in_thread(gateway.metrics.read)
    samples.merge(request.app.state.request_counts.samples())
    text, media_type = exposition(samples, accept)
    return Response(text, media_type=media_type)
