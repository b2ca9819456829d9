"""``/v1/batches``: many pictures in one request, from OpenAI's Batch API or from a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from winepress.gateway.access import Caller
from winepress.gateway.body import parse_object
from winepress.gateway.callers import ReaderOf, SubmitterOf
from winepress.gateway.gateway import Gateway, gateway_of
from winepress.gateway.openai.answer_schemas import BATCH, BATCHES, PLAN, answers
from winepress.gateway.openai.batch_intake import BatchIntake
from winepress.gateway.openai.batch_order import BatchOrder, form_of, openai_order, query_form
from winepress.gateway.openai.batch_record import UserBatches
from winepress.gateway.openai.batch_view import batch_json, plan_json
from winepress.gateway.openai.pages import MOST_ON_A_PAGE, page_json
from winepress.gateway.openai.repetition import digest_of, repetition_of
from winepress.gateway.openai.user_files import MAX_FILE_BYTES
from winepress.gateway.temporary_file import receive, temporary_file
from winepress_shared.jobs.job import MAX_UNITS

_MAX_ORDER_BYTES = 2**16  #: which names a file
_TABLE = {"schema": {"type": "string"}}
_OPENAI = {
    "schema": {
        "type": "object",
        "required": ["input_file_id", "endpoint", "completion_window"],
        "properties": {
            "input_file_id": {"type": "string"},
            "endpoint": {"enum": ["/v1/images/generations", "/v1/images/edits"]},
            "completion_window": {"type": "string", "description": "the deadline, like 24h or 7d"},
            "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": _OPENAI,
            **dict.fromkeys(("text/csv", "application/jsonl", "text/plain"), _TABLE),
        },
    }
}
_CREATED = answers({"anyOf": [BATCH, PLAN]}) | answers(BATCH, 202)

router = APIRouter(prefix="/v1/batches", tags=["batches"])


@router.post("", openapi_extra=_BODY, responses=_CREATED)
async def create_batch(
    request: Request,
    caller: SubmitterOf,
    dry_run: bool = False,
    title: Annotated[str, Query(min_length=1, max_length=200)] = "batch",
    max_failed: Annotated[int | None, Query(ge=0, le=MAX_UNITS)] = None,
) -> Response:
    """Queue many pictures: every line of the body, or none if one is invalid.

    The body is JSON in the form of OpenAI, which names a file that was uploaded to `/v1/files`; or
    CSV, JSON lines or prompts, by its media type or the parameter `format`. For these, other
    parameters are fields of every picture that has no such column: `model`, `precision` and so on;
    `matrix` and `wildcards` mean the same as for `winepress batch`. `dry_run` answers what would be
    queued, and every fault by its line, and queues nothing.
    """
    gateway = gateway_of(request)
    intake = BatchIntake(gateway.client.client, caller)
    form = form_of(request.headers.get("content-type", ""), request.query_params)
    with temporary_file() as path:
        if form is None:
            order = await _openai_order(gateway, request, path)
        else:
            content = await receive(gateway, request, path, MAX_FILE_BYTES)
            order = BatchOrder(
                query_form(form, request.query_params),
                digest_of(content, str(request.url.query)),
                request.headers.get("idempotency-key"),
                repetition_of(request),
                title=title,
                max_failed=max_failed,
            )
        async with gateway.planning:
            return await gateway.client.in_thread(_made, intake, order, path, dry_run)


async def _openai_order(gateway: Gateway, request: Request, path: Path) -> BatchOrder:
    """The order in a body, which is read from ``path``; nothing is left there."""
    digest = await receive(gateway, request, path, _MAX_ORDER_BYTES)
    body = parse_object(path.read_bytes())
    path.unlink()
    key = request.headers.get("idempotency-key")
    return openai_order(body, digest_of(digest), key, repetition_of(request))


def _made(intake: BatchIntake, order: BatchOrder, path: Path, dry_run: bool) -> Response:
    client, user = intake.client, intake.caller.user
    if dry_run:
        return JSONResponse(plan_json(client, user, intake.plan(order, path)))
    record, batch = intake.make(order, path)
    if batch is not None and batch.faults and not order.endpoint:
        first = batch.faults[0]
        plan = plan_json(client, user, batch)
        error = {
            "message": f"{first.message}; nothing was queued",
            "type": "invalid_request_error",
            "param": first.param,
            "code": "invalid-job",
        }
        return JSONResponse({"error": error, **plan}, 400)
    headers = {"Location": f"/v1/batches/{record.id}"}
    status = 200 if order.endpoint else 202
    return JSONResponse(batch_json(client, record), status, headers)


@router.get("", responses=answers(BATCHES))
async def list_batches(
    request: Request,
    caller: ReaderOf,
    limit: Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE)] = 20,
    after: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """The caller's batches, newest first."""
    gateway = gateway_of(request)
    client = gateway.client.client
    batches = UserBatches(client.archive.store, caller.user)

    def read(batch_id: str) -> dict[str, Any] | None:
        record = batches.find(batch_id)
        return None if record is None else batch_json(client, record)

    return JSONResponse(
        await gateway.client.in_thread(lambda: page_json(batches.ids(), after, limit, read))
    )


@router.get("/{batch_id}", responses=answers(BATCH))
async def get_batch(request: Request, caller: ReaderOf, batch_id: str) -> Response:
    """One batch, with its counts and its jobs now."""
    return await _answered(gateway_of(request), caller, batch_id, cancel=False)


@router.post("/{batch_id}/cancel", responses=answers(BATCH))
async def cancel_batch(request: Request, caller: SubmitterOf, batch_id: str) -> Response:
    """Cancel every job of a batch; the pictures that are finished are kept."""
    return await _answered(gateway_of(request), caller, batch_id, cancel=True)


async def _answered(gateway: Gateway, caller: Caller, batch_id: str, *, cancel: bool) -> Response:
    client = gateway.client.client

    def look() -> Response:
        intake = BatchIntake(client, caller)
        record = intake.cancel(batch_id) if cancel else intake.get(batch_id)
        return JSONResponse(batch_json(client, record))

    return await gateway.client.in_thread(look)
