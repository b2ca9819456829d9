"""Jobs from requests: the fields of any dialect become a job of the farm."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from winepress.client import Client
from winepress.explanation import why_impossible, why_job_impossible
from winepress.gateway.access import Caller, OfUser, Scope
from winepress.gateway.gateway import Gateway, stored_job
from winepress.gateway.key_meter import KeyMeter
from winepress.gateway.live_workers import LiveWorkers
from winepress.gateway.refusals import Forbidden, NoWorker
from winepress.gateway.requested_job import read_job
from winepress.handle import JobHandle
from winepress.submission import record_of
from winepress.submission import submit as submit_records
from winepress.submit_options import SubmitOptions
from winepress_shared.errors import InvalidJob, NotFound, WrongUsage
from winepress_shared.jobs.job import Job
from winepress_shared.jobs.job_record import JobRecord
from winepress_shared.ledger.records import JobRow, unknown_job
from winepress_shared.webhook import Webhook, WebhookForm
from winepress_shared.window import Window


@dataclass(frozen=True)
class JobRequest:
    """A job that a caller asks for, and the terms of its submission."""

    fields: Mapping[str, Any]  #: of the job, under any name that job files may use
    end_user: str = ""  #: of the caller's own service; users take turns
    idempotency_key: str | None = None
    expires_in: float | None = None  #: seconds
    start_in: float | None = None  #: seconds
    window: str | None = None
    warnings: Sequence[str] = field(default=())  #: the dialect's own
    webhook: Webhook | None = None  #: made by `webhook_of`
    needs_worker: bool = False  #: refuse what no live worker can render


@dataclass(frozen=True)
class Accepted:
    """A submitted job."""

    handle: JobHandle
    row: JobRow  #: after the submission
    impossible: str | None  #: why no live worker can render it


async def submit(gateway: Gateway, caller: Caller, asked: JobRequest) -> JobHandle:
    """Submit a job; raises Forbidden, NoWorker, and what `Client.submit` raises."""
    return await gateway.client.in_thread(enter, gateway, caller, asked)


async def submit_and_look(gateway: Gateway, caller: Caller, asked: JobRequest) -> Accepted:
    """`submit`, and the job after it, in one turn of a thread."""

    def both() -> Accepted:
        workers = gateway.workers.now()  # before: a refusal must mean that nothing is queued
        handle, record = _enter(gateway, caller, asked)
        # A new job is as it was written; one that was known may have gone on.
        is_new = handle.id == record.id
        row = JobRow.of_new(record, time.time()) if is_new else handle.status()
        return Accepted(handle, row, why_job_impossible(row, workers))

    return await gateway.client.in_thread(both)


def webhook_of(
    gateway: Gateway,
    request: Request,
    url: object,
    events: object = None,
    form: WebhookForm = WebhookForm.NATIVE,
) -> Webhook | None:
    """The webhook that a request names by ``webhook`` and ``webhook_events_filter``.

    None without a URL. Raises InvalidJob; `submit` also refuses hosts that are not public.
    """
    return Webhook.of(url, events, origin=gateway.address(request, ""), form=form)


def enter(gateway: Gateway, caller: Caller, asked: JobRequest) -> JobHandle:
    """`submit` for a caller that is in a thread already."""
    return _enter(gateway, caller, asked)[0]


def _enter(gateway: Gateway, caller: Caller, asked: JobRequest) -> tuple[JobHandle, JobRecord]:
    if not caller.may(Scope.SUBMIT):
        raise Forbidden("this key may not submit jobs")
    client = gateway.client.client
    job, warnings = read_job(client, asked.fields)
    submit_options = SubmitOptions(
        user_of(caller, asked.end_user),
        asked.idempotency_key,
        asked.expires_in,
        asked.start_in,
        _window(asked.window),
        meter=KeyMeter.of(client, caller),
        webhook=asked.webhook,
    )
    record = record_of(client, job, submit_options, (*asked.warnings, *warnings))
    check_model(caller, record.job)
    check_key_frames(client, caller, record.job)
    if asked.needs_worker:
        check_worker(gateway.workers, record.job)
    if asked.webhook is not None:
        gateway.webhook_guard.check(asked.webhook.url)
    (job_id,) = submit_records(client, [record], submit_options)
    return JobHandle(client, job_id, record.warnings), record


def _window(text: object) -> Window | None:
    try:
        return None if text is None else Window.parse(str(text))
    except WrongUsage as error:
        raise InvalidJob(error.problem, field="window", value=text, allowed=error.allowed) from None


def check_model(caller: Caller, job: Job) -> None:
    """Raise Forbidden if the caller's key does not allow each model of a resolved job."""
    fields = ("model", "refiner", "first_model")
    check_models(caller, {name: getattr(job, name, None) for name in fields})


def check_models(caller: Caller, asked: Mapping[str, object]) -> None:
    """The same for models by the fields that name them."""
    for name, model in asked.items():
        # A line of a batch may hold a list, which a set cannot be asked for.
        if caller.models is not None and model not in (None, *caller.models):
            raise Forbidden(
                "this key does not allow this model",
                field=name,
                value=model,
                allowed=", ".join(sorted(caller.models)),
            )


def check_key_frames(client: Client, caller: Caller, job: Job) -> None:
    """Raise NotFound if a job uses the key frames of a job that the caller may not see."""
    source = getattr(job, "key_frames_of", None)
    if source is None:
        return
    try:
        owned: OfUser | None = client.ledger.get(source)
    except NotFound:  # its pictures outlive its row
        owned = stored_job(client, source)
    if owned is None or not caller.may_read(owned):
        raise unknown_job(source)


def check_worker(workers: LiveWorkers, job: Job) -> None:
    """Raise NoWorker if no live worker can render a resolved job."""
    impossible = why_impossible(str(job.lane), workers.now())
    if impossible:
        raise NoWorker(f"no worker can render it now: {impossible}")


def user_of(caller: Caller, end_user: str = "") -> str:
    """The user of a job: the caller, and after an "@" the caller's own user."""
    if not end_user:
        return caller.user
    plain = "".join(one if one.isascii() and one.isalnum() else "-" for one in end_user)
    room = 63 - len(caller.user)
    own = plain.strip("-")[: max(0, room)].rstrip("-")
    return f"{caller.user}@{own}" if own else caller.user
