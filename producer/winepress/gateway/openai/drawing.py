"""One request for pictures, from its fields to its answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fastapi import Request
from starlette.responses import Response

from winepress.aio.handle import AsyncJobHandle
from winepress.client import Client
from winepress.gateway.access import Caller
from winepress.gateway.departure import while_connected
from winepress.gateway.gateway import Gateway, gateway_of
from winepress.gateway.intake import JobRequest, enter
from winepress.gateway.openai.image_answer import answer_json, picture_json
from winepress.gateway.openai.image_request import ImageRequest, read_request
from winepress.gateway.openai.repetition import digest_of, note_of, repetition_of
from winepress.gateway.openai.streams import ImageStream
from winepress.gateway.openai.user_files import FILE_ID, UserFiles
from winepress.gateway.refusals import RequestRefused
from winepress.gateway.sent_names import named_as_sent
from winepress.handle import JobHandle
from winepress.job_files.openai_request import take_pictures
from winepress_shared.archive import Output
from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.aliases import canonical_fields
from winepress_shared.jobs.picture import MAX_FILE_BYTES

MAX_WAIT_S = 600.0  #: the patience of OpenAI's own clients
_MARGIN_S = 5.0  #: the answer arrives before the client gives up
#: Seconds after which the client gives up, as its versions for Python and JavaScript tell it.
_PATIENCE = ("x-stainless-read-timeout", "x-stainless-timeout")
#: Field of a job → what decides it where a request of OpenAI does not give it.
_UNSAID = {"kind": "model"}


class NotFinished(RequestRefused):
    """The job takes longer than the client waits."""

    status = 504
    code = "job-not-finished"
    retry_after_s = 1.0  # a repetition waits for the same job


async def draw(request: Request, caller: Caller, values: Mapping[str, Any], kind: str) -> Response:
    """The answer to a request for pictures; ``values`` are the fields of its body.

    Raises what `submit` raises, JobFailed when the job fails, and NotFinished when it takes longer
    than the client waits. A client that goes away does not stop the job.
    """
    gateway = gateway_of(request)
    key, told = request.headers.get("idempotency-key"), repetition_of(request)
    with named_as_sent(values, _UNSAID):
        asked, handle = await gateway.client.in_thread(
            _submit, gateway, caller, values, kind, key, told
        )
    job = AsyncJobHandle(gateway.client, handle)
    if asked.stream:
        return ImageStream(gateway, job, asked.partial_images, _event_of(kind)).response()
    try:
        await while_connected(request, job.wait(patience_s(request)))
    except TimeoutError:
        address = gateway.address(request, f"/v1/jobs/{job.id}/results")
        raise NotFinished(
            f"job {job.id} goes on, but is not finished",
            hint=f"Get it from {address} later",
        ) from None
    body = await gateway.client.in_thread(_answer, gateway, request, handle, asked)
    return Response(body, media_type="application/json")


def _event_of(kind: str) -> str:
    return "image_generation" if kind == "text-to-image" else "image_edit"


def patience_s(request: Request) -> float:
    """How long to wait for a job: until shortly before the client gives up."""
    for name in _PATIENCE:
        try:
            told = float(request.headers.get(name, ""))
        except ValueError:
            continue
        if math.isfinite(told):
            return min(max(told - _MARGIN_S, told / 2, 0.1), MAX_WAIT_S)
    return MAX_WAIT_S - _MARGIN_S


def _submit(
    gateway: Gateway,
    caller: Caller,
    values: Mapping[str, Any],
    kind: str,
    key: str | None,
    told: int | None,
) -> tuple[ImageRequest, JobHandle]:
    """Submit the job of a request; blocks its thread."""
    client, fields = gateway.client.client, dict(values)
    take_pictures(fields)
    files = UserFiles(client.archive.store, caller.user)
    for name in ("image", "mask"):
        given = fields.get(name)
        if isinstance(given, str) and FILE_ID.fullmatch(given):
            fields[name] = files.read(given, MAX_FILE_BYTES)
    asked = _with_previews(client, read_request(client, fields, kind))
    if key is None and told is not None:
        digest = digest_of(kind, *_parts(values))
        key = f"openai-{note_of(client, caller.user, digest, None, told)}"
    handle = enter(
        gateway,
        caller,
        JobRequest(
            asked.fields,
            end_user=asked.end_user,
            idempotency_key=key,
            warnings=asked.warnings,
            needs_worker=True,
        ),
    )
    return asked, handle


def _parts(values: Mapping[str, Any]) -> list[bytes | str]:
    """The content of a request: a repeated form has other boundaries, and the same fields."""
    parts: list[bytes | str] = []
    for name, value in values.items():
        several = value if isinstance(value, list) else [value]
        for one in several:
            parts += [name, one if isinstance(one, bytes) else repr(one)]
    return parts


def _with_previews(client: Client, asked: ImageRequest) -> ImageRequest:
    """The same request, whose job makes the previews that its stream shows."""
    if not asked.partial_images or "preview_every" in asked.fields:
        return asked
    model = client.catalogue.get(asked.model)
    if not model.has_previews:
        said = f"partial_images is ignored: {model.name} has no previews"
        return replace(asked, warnings=(*asked.warnings, said), partial_images=0)
    steps = canonical_fields(asked.fields).get("num_inference_steps") or model.num_inference_steps
    try:
        every = max(1, int(steps) // (asked.partial_images + 1))
    except (TypeError, ValueError):
        raise InvalidJob("not a number", field="num_inference_steps", value=steps) from None
    return replace(asked, fields=asked.fields | {"preview_every": every})


def _answer(gateway: Gateway, request: Request, handle: JobHandle, asked: ImageRequest) -> bytes:
    data: list[dict[str, Any]] = []
    outputs: list[Output] = []
    found: Iterable[tuple[Output, bytes | None]] = (
        handle.files()
        if asked.wants_bytes
        else ((output, None) for output in handle.result.outputs)
    )
    for output, content in found:
        url = None if asked.wants_bytes else gateway.output_url(request, handle.id, output)
        data.append(picture_json(output, url, content))
        outputs.append(output)
    return answer_json(handle.id, data, outputs, handle.warnings)
