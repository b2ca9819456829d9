"""Jobs from requests: the fields of any dialect become a job of the farm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from winepress.client import Client
from winepress.gateway.access import Caller, Scope
from winepress.gateway.gateway import Gateway
from winepress.gateway.refusals import Forbidden, NoWorker
from winepress.handle import JobHandle
from winepress.job_files.given_file import FILE_FIELDS
from winepress.job_files.written_job import read_fields
from winepress_shared.errors import InvalidJob, WrongUsage
from winepress_shared.jobs.aliases import canonical_fields
from winepress_shared.jobs.job import Job, parse_job
from winepress_shared.webhook import Webhook, WebhookForm
from winepress_shared.window import Window

_NOT_A_FILE = "a path or an address; a gateway opens neither"
_FILE_HINT = "Embed the file in base64 or as a data: URL, or upload it to /v1/uploads first"


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


async def submit(gateway: Gateway, caller: Caller, asked: JobRequest) -> JobHandle:
    """Submit a job; raises Forbidden, NoWorker, and what `Client.submit` raises."""
    if not caller.may(Scope.SUBMIT):
        raise Forbidden("this key may not submit jobs")
    return await gateway.client.in_thread(_submit, gateway, caller, asked)


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


def _submit(gateway: Gateway, caller: Caller, asked: JobRequest) -> JobHandle:
    client = gateway.client.client
    job, warnings = read_job(client, asked.fields)
    check_model(caller, job)
    if asked.needs_worker:
        check_worker(client, job)
    if asked.webhook is not None:
        gateway.webhook_guard.check(asked.webhook.url)
    return client.submit(
        job,
        user=user_of(caller, asked.end_user),
        idempotency_key=asked.idempotency_key,
        expires_in=asked.expires_in,
        start_in=asked.start_in,
        window=_window(asked.window),
        warnings=(*asked.warnings, *warnings),
        webhook=asked.webhook,
    )


def _window(text: object) -> Window | None:
    try:
        return None if text is None else Window.parse(str(text))
    except WrongUsage as error:
        raise InvalidJob(error.problem, field="window", value=text, allowed=error.allowed) from None


def read_job(client: Client, fields: Mapping[str, Any]) -> tuple[Job, list[str]]:
    """The job that a request describes, and a warning for each field that is ignored.

    Decodes pictures, so call it in a thread. Raises InvalidJob.
    """
    values, warnings = read_fields(fields, has_user=False)
    for name in FILE_FIELDS:
        _check_file(name, values.get(name))
    model = values.get("model")
    if isinstance(model, str):
        values["model"] = client.settings.model_aliases.get(model, model)
    return parse_job(canonical_fields(values)), warnings


def _check_file(name: str, value: object) -> None:
    for one in value if isinstance(value, list | tuple) else (value,):
        if isinstance(one, str) and not one.startswith("sha256:"):
            raise InvalidJob(_NOT_A_FILE, field=name, value=one, hint=_FILE_HINT)


def check_model(caller: Caller, job: Job) -> None:
    """Raise Forbidden if the caller's key does not allow the models of a job."""
    asked = {model for model in (job.model, getattr(job, "refiner", None)) if model}
    if caller.models is not None and not asked <= caller.models:
        raise Forbidden(
            "this key does not allow this model",
            field="model",
            value=job.model,
            allowed=", ".join(sorted(caller.models)) or "none",
        )


def check_worker(client: Client, job: Job) -> None:
    """Raise NoWorker if no live worker can render a job."""
    resolved = client.catalogue.resolve(job)
    impossible = client.why_impossible(str(resolved.lane))
    if impossible:
        raise NoWorker(f"no worker can render it now: {impossible}")


def user_of(caller: Caller, end_user: str = "") -> str:
    """The user of a job: the caller, and after an "@" the caller's own user."""
    if not end_user:
        return caller.user
    plain = "".join(one if one.isascii() and one.isalnum() else "-" for one in end_user)
    return f"{caller.user}@{plain}"[:64].rstrip("-@") or caller.user
