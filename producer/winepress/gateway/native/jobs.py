"""``/v1/jobs``: submit, list, look at, wait for and control jobs."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from winepress.aio.client import AsyncClient
from winepress.aio.handle import AsyncJobHandle
from winepress.gateway.body import read_object
from winepress.gateway.callers import ReaderOf
from winepress.gateway.credentials import CallerOf
from winepress.gateway.departure import while_connected
from winepress.gateway.gateway import Gateway, gateway_of, stored_job
from winepress.gateway.intake import JobRequest, submit_and_look, webhook_of
from winepress.gateway.job_schema import SUBMISSION, WAITING
from winepress.gateway.job_view import JobPage, JobView
from winepress.gateway.key_meter import meter_retry
from winepress.gateway.refusals import BadRequest
from winepress.gateway.sent_names import named_as_sent
from winepress_shared.errors import JobFailed
from winepress_shared.ledger.records import JobRow
from winepress_shared.state import JobState

MAX_WAIT_S = 600.0  #: of ``Prefer: wait=N``
_WAIT = re.compile(r"(?:^|[,;\s])wait(?:\s*=\s*([^,;\s]*))?(?:$|[,;\s])")
_WHOLE = re.compile(r'"?([0-9]+)"?')
_DEFAULT_WAIT_S = 60.0  #: of ``Prefer: wait``
#: Fields of a submission that are not the job's own.
_TERMS = ("expires_in", "start_in", "window", "user")

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.post(
    "",
    status_code=202,
    response_model=JobView,
    openapi_extra=SUBMISSION,
    responses={200: {"model": JobView, "description": "The job ended within `Prefer: wait`"}},
)
async def submit_job(request: Request, response: Response, caller: CallerOf) -> JobView:
    """Submit a job; with ``Prefer: wait=N`` the answer comes when it ends, or after N seconds."""
    gateway, waited, fields = gateway_of(request), wait_s(request), await read_object(request)
    terms = {name: fields.pop(name, None) for name in _TERMS}
    hook = [fields.pop(name, None) for name in ("webhook", "webhook_events_filter")]
    asked = JobRequest(
        fields,
        end_user=_text("user", terms.pop("user")),
        idempotency_key=request.headers.get("idempotency-key"),
        webhook=webhook_of(gateway, request, *hook),
        **terms,
    )
    with named_as_sent(fields):
        accepted = await submit_and_look(gateway, caller, asked)
    handle, warnings = accepted.handle, list(accepted.handle.warnings)
    if waited:
        await wait_for(request, AsyncJobHandle(gateway.client, handle), waited)
        view = await _view(gateway, handle.id, warnings)
    else:
        view = JobView.of(accepted.row, warnings, accepted.impossible)
    response.headers["Location"] = gateway.address(request, f"/v1/jobs/{handle.id}")
    if view.state.is_terminal:
        response.status_code = 200
    return view


def _text(name: str, value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    raise BadRequest("not text", field=name, value=value)


def wait_s(request: Request) -> float:
    """Seconds that ``Prefer: wait`` asks for, at most `MAX_WAIT_S`; 0 without it.

    Raises BadRequest unless they are a whole number.
    """
    found = _WAIT.search(request.headers.get("prefer", "").lower())
    if found is None:
        return 0.0
    if found[1] is None:
        return _DEFAULT_WAIT_S
    whole = _WHOLE.fullmatch(found[1])
    if whole is None:
        allowed = f"wait=N, a whole number of seconds, at most {MAX_WAIT_S:.0f}"
        raise BadRequest("not a time to wait", field="Prefer", value=found[1], allowed=allowed)
    return min(float(whole[1]), MAX_WAIT_S)


async def wait_for(request: Request, handle: AsyncJobHandle, seconds: float) -> bool:
    """Wait until the job ends, in whatever state; False if it has not ended in time.

    Raises ClientLeft.
    """
    try:
        await while_connected(request, handle.wait(seconds))
    except JobFailed:
        return True
    except TimeoutError:
        return False
    return True


async def _view(
    gateway: Gateway,
    job_id: str,
    warnings: list[str] | None = None,
    job: dict[str, Any] | None = None,
) -> JobView:
    def look() -> JobView:
        row = gateway.client.client.ledger.get(job_id)
        impossible = _impossible(gateway, row)
        return JobView.of(row, warnings, impossible, job)

    return await gateway.client.in_thread(look)


def _impossible(gateway: Gateway, row: JobRow) -> str | None:
    return None if row.state.is_terminal else gateway.workers.why_impossible(row)


@router.get("")
async def list_jobs(
    request: Request,
    caller: ReaderOf,
    state: JobState | None = None,
    user: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,16}$")] = None,
) -> JobPage:
    """The jobs that the caller may see, newest first, a page at a time."""
    gateway = gateway_of(request)

    def is_wanted(row: JobRow) -> bool:
        return caller.may_read(row) and user in (None, row.user, row.user.partition("@")[2])

    def look() -> JobPage:
        before = None if cursor is None else int(cursor)
        rows, following = gateway.client.client.job_pages.page(state, before, limit, is_wanted)
        return JobPage(
            jobs=[JobView.of(row, impossible=_impossible(gateway, row)) for row in rows],
            next_cursor=None if following is None else str(following),
        )

    return await gateway.client.in_thread(look)


@router.get("/{job_id}", openapi_extra=WAITING)
async def get_job(request: Request, caller: CallerOf, job_id: str) -> JobView:
    """One job; with ``Prefer: wait=N`` the answer comes when it ends, or after N seconds."""
    gateway, waited = gateway_of(request), wait_s(request)
    await gateway.row_for(caller, job_id)
    if waited:
        await wait_for(request, gateway.handle(job_id), waited)
    record = await gateway.client.in_thread(stored_job, gateway.client.client, job_id)
    if record is None:  # its submission is not complete
        return await _view(gateway, job_id)
    return await _view(gateway, job_id, list(record.warnings), record.job.model_dump(mode="json"))


Change = Callable[[AsyncClient, str], Awaitable[JobState | None]]


def _add(verb: str, change: Change, text: str) -> None:
    async def route(request: Request, caller: CallerOf, job_id: str) -> JobView:
        gateway = gateway_of(request)
        row = await gateway.row_to_control(caller, job_id)
        if verb == "retry":
            await gateway.client.in_thread(meter_retry, gateway.client.client, caller, row)
        await change(gateway.client, job_id)
        return await _view(gateway, job_id)

    router.add_api_route(
        f"/{{job_id}}/{verb}",
        route,
        methods=["POST"],
        name=f"{verb}_job",
        description=text,
        operation_id=f"{verb}_job",
    )


_add("cancel", AsyncClient.cancel, "Stop a job and keep its finished pictures.")
_add("pause", AsyncClient.pause, "Hand out no more pictures of a job.")
_add("resume", AsyncClient.resume, "Continue a paused job.")
_add("retry", AsyncClient.retry, "Render the missing pictures of a job that has ended.")
_add("front", AsyncClient.front, "Move a job before the other jobs of its user and priority.")
_add("pin", AsyncClient.pin, "Keep a job listed, and its pictures in the store.")
_add("unpin", AsyncClient.unpin, "Let a job that is pinned go in time.")
