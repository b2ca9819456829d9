"""``/v1/predictions``: submit, look at, list and cancel jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from winepress.aio.handle import AsyncJobHandle
from winepress.gateway.access import Caller
from winepress.gateway.body import read_object
from winepress.gateway.callers import ReaderOf
from winepress.gateway.checkpoints import Checkpoint
from winepress.gateway.credentials import CallerOf
from winepress.gateway.gateway import Gateway, gateway_of, stored_job
from winepress.gateway.intake import JobRequest, submit, webhook_of
from winepress.gateway.native.jobs import wait_for, wait_s
from winepress.gateway.openai.file_links import read_link
from winepress.gateway.replicate.models import find_version
from winepress.gateway.replicate.prediction_view import OWNER, prediction_of, whole_prediction
from winepress.gateway.request_body import OBJECT
from winepress.gateway.requested_job import check_prompt_name
from winepress.gateway.sent_names import named_as_sent
from winepress.handle import JobHandle
from winepress.job_files.given_file import FILE_FIELDS
from winepress_shared.errors import Conflict, InvalidJob
from winepress_shared.jobs.aliases import ALIASES
from winepress_shared.jobs.job import Job
from winepress_shared.ledger.records import JobRow
from winepress_shared.webhook import WebhookForm

_PAGE = 100
_LIFE = re.compile(r"(\d{1,7})(s|m|h|)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_KINDS = ("text-to-image", "image-to-image", "inpaint")
_OF_VERSION = ("model", "precision")  #: fields of a job that are no inputs
#: Field of a job → what gives it here beside the inputs.
_UNSAID = {
    **dict.fromkeys((*_OF_VERSION, "kind"), "version"),
    "expires_in": "Cancel-After",
}
router = APIRouter(prefix="/v1", tags=["replicate"])


@router.post("/predictions", status_code=201, openapi_extra=OBJECT)
async def create_prediction(
    request: Request, response: Response, caller: CallerOf
) -> dict[str, Any]:
    """Submit a job for a ``version``: its id, or ``winepress/NAME`` with or without one."""
    body = await read_object(request)
    return await _create(request, response, caller, _name_in(body), body)


@router.put("/predictions/{prediction_id}", status_code=201, openapi_extra=OBJECT)
async def put_prediction(
    request: Request, response: Response, caller: CallerOf, prediction_id: str
) -> dict[str, Any]:
    """The same; the same id finds the same job again for a day."""
    body = await read_object(request)
    return await _create(request, response, caller, _name_in(body), body, prediction_id)


@router.post(f"/models/{OWNER}/{{name}}/predictions", status_code=201, openapi_extra=OBJECT)
async def create_for_model(
    request: Request, response: Response, caller: CallerOf, name: str
) -> dict[str, Any]:
    """Submit a job for a model, in its usual precision."""
    return await _create(request, response, caller, name, await read_object(request))


def _name_in(body: Mapping[str, Any]) -> str:
    """``NAME:VERSION``, without the owner, or a part of it; raises InvalidJob without either."""
    text = body.get("version") or body.get("model")
    if not isinstance(text, str) or not text:
        raise InvalidJob("is required", field="version", value=text)
    return text.removeprefix(f"{OWNER}/")


async def _create(
    request: Request,
    response: Response,
    caller: Caller,
    name: str,
    body: Mapping[str, Any],
    key: str | None = None,
) -> dict[str, Any]:
    """Answers after `Prefer: wait` with a job that has ended, or one that is ``starting``.

    Its clients take every other word for the end.
    """
    gateway, waited = gateway_of(request), wait_s(request)
    given = body.get("input")
    if not isinstance(given, Mapping):
        raise InvalidJob("must be an object", field="input", value=given)
    hook = (body.get("webhook"), body.get("webhook_events_filter"))
    named = {} if key is None else {"idempotency_key": "prediction_id"}
    with named_as_sent(given, _UNSAID | named):
        fields, warnings = _fields_of(find_version(gateway.client.client, name), given)
        await _fetch_uploads(gateway, request, caller, fields)
        asked = JobRequest(
            fields,
            idempotency_key=key or request.headers.get("idempotency-key"),
            expires_in=_life_s(request.headers.get("cancel-after", "")),
            warnings=warnings,
            webhook=webhook_of(gateway, request, *hook, WebhookForm.REPLICATE),
        )
        accepted = await submit(gateway, caller, asked)
    handle = AsyncJobHandle(gateway.client, accepted)
    has_ended = bool(waited) and await wait_for(request, handle, waited)
    view = await _view(gateway, request, await handle.status())
    response.headers["Location"] = view["urls"]["get"]
    if waited and not has_ended:
        view |= {"status": "starting", "output": None, "completed_at": None}
    return view


async def _fetch_uploads(
    gateway: Gateway, request: Request, caller: Caller, fields: dict[str, Any]
) -> None:
    """Put the caller's own uploads in place of their addresses; other addresses are refused."""
    for name in FILE_FIELDS:
        value = fields.get(name)
        if isinstance(value, str) and value.startswith("http"):
            content = await read_link(gateway, request, caller, value)
            fields[name] = value if content is None else content


def _fields_of(
    checkpoint: Checkpoint, given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The fields of the job, and a warning for each input that is ignored."""
    fields = dict(given)
    has_image = any(fields.get(name) for name in ("image", "init_image"))
    has_mask = has_image and bool(fields.get("mask"))
    fields.setdefault("kind", _KINDS[has_image + has_mask])
    kind = Job.kinds.get(str(fields["kind"]))
    known = kind.model_fields if kind else fields
    unknown = [
        name
        for name in fields
        if name not in (*known, *ALIASES, "size") or ALIASES.get(name, name) in _OF_VERSION
    ]
    check_prompt_name(fields, unknown)
    for name in unknown:
        del fields[name]
    if fields.get("output_format") == "jpg":  # as Replicate's models spell it
        fields["output_format"] = "jpeg"
    fields |= {"model": checkpoint.model, "precision": checkpoint.precision}
    return fields, [f"{name[:80]} is ignored: there is no such input" for name in unknown]


def _life_s(text: str) -> float | None:
    """Seconds of a header ``Cancel-After: 1m``."""
    if not text:
        return None
    found = _LIFE.fullmatch(text.strip().lower())
    if found is None or not int(found[1]):
        raise InvalidJob("not a duration", field="Cancel-After", value=text, allowed="90s, 5m, 1h")
    return float(int(found[1]) * _UNITS[found[2]])


@router.get("/predictions")
async def list_predictions(
    request: Request,
    caller: ReaderOf,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,16}$")] = None,
) -> dict[str, Any]:
    """Your jobs, newest first, without their inputs and outputs."""
    gateway = gateway_of(request)
    before = None if cursor is None else int(cursor)

    def is_wanted(row: JobRow) -> bool:
        return caller.may_read(row) and row.kind in _KINDS

    rows, following = await gateway.client.in_thread(
        gateway.client.client.job_pages.page, None, before, _PAGE, is_wanted
    )
    path = f"/v1/predictions?cursor={following}"
    return {
        "results": [prediction_of(row, gateway.address(request, "")) for row in rows],
        "next": None if following is None else gateway.address(request, path),
        "previous": None,
    }


@router.get("/predictions/{prediction_id}")
async def get_prediction(request: Request, caller: CallerOf, prediction_id: str) -> dict[str, Any]:
    """One job, with its output and its progress in ``logs``."""
    gateway = gateway_of(request)
    return await _view(gateway, request, await gateway.row_for(caller, prediction_id))


@router.post("/predictions/{prediction_id}/cancel")
async def cancel_prediction(
    request: Request, caller: CallerOf, prediction_id: str
) -> dict[str, Any]:
    """Stop a job; one that has ended stays as it is."""
    gateway = gateway_of(request)
    row = await gateway.row_to_control(caller, prediction_id)
    try:
        await gateway.client.cancel(row.id)
    except Conflict:  # it has ended
        return await _view(gateway, request, row)
    handle = gateway.handle(row.id)
    return await _view(gateway, request, await handle.status())


async def _view(gateway: Gateway, request: Request, row: JobRow) -> dict[str, Any]:
    """The prediction with its input, output and logs."""

    def look() -> dict[str, Any]:
        client, urls = gateway.client.client, []
        record = stored_job(client, row.id)
        if row.done and row.state.is_terminal:
            outputs = JobHandle(client, row.id).result.outputs
            urls = [gateway.output_url(request, row.id, one) for one in outputs]
        origin, events = gateway.address(request, ""), client.ledger.events(row.id)
        impossible = None
        if not row.state.is_terminal:
            impossible = gateway.workers.why_impossible(row)
            if row.units == 1:  # then its logs tell of steps
                client.watchers.watch([row.id])
        return whole_prediction(row, origin, record, events, urls, impossible)

    return await gateway.client.in_thread(look)
