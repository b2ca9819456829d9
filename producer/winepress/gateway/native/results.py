"""``/v1/jobs/ID/results`` and ``/v1/jobs/ID/outputs``: what a job has made."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from winepress.gateway.credentials import CallerOf, caller_of
from winepress.gateway.gateway import gateway_of
from winepress.gateway.job_view import FailureView, OutputView, ResultView
from winepress.gateway.temporary_file import file_response
from winepress.handle import JobHandle
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

    def look() -> ResultView:
        client = gateway.client.client
        result, store = JobHandle(client, job_id).result, client.archive.store
        has_store_links = links == "store"
        return ResultView(
            id=job_id,
            state=row.state,
            outputs=[
                OutputView.of(
                    one,
                    gateway.output_url(request, job_id, one),
                    store.url(one.key, expires) if has_store_links else None,
                )
                for one in result.outputs
            ],
            failures=[FailureView.of(one) for one in result.failures],
        )

    return await gateway.client.in_thread(look)


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
    result = await gateway.handle(job_id).result()
    output = next((one for one in result.outputs if one.key.endswith(f"/out/{name}")), None)
    if output is None:
        raise NotFound("the job has no such output", value=name)
    # A file, and not bytes: a film may have gigabytes, and a browser asks for ranges of it.
    fetch = partial(gateway.client.client.archive.read_file, output)
    headers = {"Cache-Control": _CACHE, "ETag": f'"{output.sha256}"'}
    return await file_response(gateway, fetch, content_type_of(output.key), headers)
