"""``/v1/jobs/ID/results`` and ``/v1/jobs/ID/outputs``: what a job has made."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from winepress.aio.handle import AsyncJobHandle
from winepress.gateway.credentials import CallerOf, caller_of
from winepress.gateway.gateway import Gateway, gateway_of
from winepress.gateway.job_view import FailureView, OutputView, ResultView
from winepress_shared.archive import content_type_of
from winepress_shared.errors import NotFound
from winepress_shared.stores.base import MAX_URL_S

_CACHE = "private, max-age=31536000, immutable"  #: an output never changes

router = APIRouter(prefix="/v1/jobs", tags=["results"])


@router.get("/{job_id}/results")
async def job_results(
    request: Request,
    caller: CallerOf,
    job_id: str,
    links: Literal["gateway", "store"] = "gateway",
    expires: Annotated[int, Query(ge=1, le=MAX_URL_S, description="of store links, in s")] = 3600,
) -> ResultView:
    """The outputs and failures so far; ``links=store`` adds presigned links to the store."""
    gateway = gateway_of(request)
    row = await gateway.row_for(caller, job_id)
    handle = await gateway.client.get(job_id)
    result = await handle.result()
    urls = await handle.urls(expires) if links == "store" else ()
    store_urls = dict(zip((one.unit for one in result.outputs), urls, strict=False))
    return ResultView(
        id=job_id,
        state=row.state,
        outputs=[
            OutputView.of(one, gateway.output_url(request, job_id, one), store_urls.get(one.unit))
            for one in result.outputs
        ],
        failures=[FailureView.of(one) for one in result.failures],
    )


@router.get(
    "/{job_id}/outputs/{name}",
    response_class=Response,
    responses={200: {"content": {"image/png": {}, "video/mp4": {}}}},
)
async def job_output(
    request: Request,
    job_id: str,
    name: str,
    until: Annotated[str, Query(max_length=12)] = "",
    signature: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """One picture or film; opens with a signed link of the results, or with a key."""
    gateway = gateway_of(request)
    if signature:
        gateway.links.check(job_id, name, until, signature)
    else:
        await gateway.row_for(await caller_of(request), job_id)
    handle = await gateway.client.get(job_id)
    return await _file(gateway, handle, name)


async def _file(gateway: Gateway, handle: AsyncJobHandle, name: str) -> Response:
    result = await handle.result()
    output = next((one for one in result.outputs if one.key.endswith(f"/out/{name}")), None)
    if output is None:
        raise NotFound("the job has no such output", value=name)
    # A file, and not bytes: a film may have gigabytes, and a browser asks for ranges of it.
    folder = tempfile.TemporaryDirectory(prefix="winepress-output-")
    path = Path(folder.name) / name
    try:
        path.touch()
        await gateway.client.in_thread(gateway.client.client.archive.read_file, output, path)
    except BaseException:
        folder.cleanup()
        raise
    headers = {"Cache-Control": _CACHE, "ETag": f'"{output.sha256}"'}
    return FileResponse(
        path,
        media_type=content_type_of(output.key),
        headers=headers,
        background=BackgroundTask(folder.cleanup),
    )
