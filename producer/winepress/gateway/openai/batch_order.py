"""What a request for a batch asks for, from the JSON of OpenAI or from a query string."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import QueryParams

from winepress.bulk.bulk_file import FORMS
from winepress.gateway.openai.batch_plan import BatchForm
from winepress.gateway.refusals import UnsupportedBody
from winepress.job_files.given_file import FILE_FIELDS
from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.aliases import ALIASES
from winepress_shared.jobs.job import Job

ENDPOINTS = ("/v1/images/generations", "/v1/images/edits")
_MEDIA_TYPES = {
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/jsonl": "jsonl",
    "application/x-jsonlines": "jsonl",
    "application/x-ndjson": "jsonl",
    "text/plain": "prompts",
}
_WINDOW = re.compile(r"([1-9][0-9]{0,3})([hd])")
_SECONDS = {"h": 3_600, "d": 86_400}
#: Parameters of the query that are not fields of every picture.
_OWN = ("format", "dry_run", "title", "max_failed", "matrix", "wildcards")
_FIELDS = {*ALIASES, *(name for kind in Job.kinds.values() for name in kind.model_fields)}
_MOST_METADATA, _MOST_CHARACTERS = 16, 512  #: members of metadata, and characters of one


@dataclass(frozen=True)
class BatchOrder:
    """A batch that a caller asks for."""

    form: BatchForm
    digest: str  #: of the whole request
    key: str | None = None  #: idempotency key
    told: int | None = None  #: how often the client has sent the request before
    title: str = "batch"
    max_failed: int | None = None
    endpoint: str = ""
    input_file_id: str = ""
    completion_window: str = ""
    expires_in: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def form_of(request_type: str, query: QueryParams) -> str | None:
    """The form of the lines in a body; None for the JSON of OpenAI. Raises UnsupportedBody."""
    named = query.get("format")
    if named:
        if named not in FORMS:
            raise InvalidJob("unknown form", field="format", value=named, allowed=", ".join(FORMS))
        return named
    media_type = request_type.partition(";")[0].strip().lower()
    if media_type in ("application/json", ""):
        return None
    if media_type not in _MEDIA_TYPES:
        raise UnsupportedBody(
            "unknown form of batch",
            value=media_type,
            allowed=f"application/json, {', '.join(_MEDIA_TYPES)}",
            hint="Name the form with ?format=",
        )
    return _MEDIA_TYPES[media_type]


def query_form(form: str, query: QueryParams) -> BatchForm:
    """How to read a table; a parameter with the name of a field is the default of its column."""
    defaults = {name: value for name, value in query.items() if name not in _OWN}
    for name in defaults:
        if name not in _FIELDS or name in FILE_FIELDS or name == "n":
            raise InvalidJob(
                "not a parameter of a batch",
                field=name,
                allowed=f"{', '.join(_OWN)}, and fields of a job, such as model and precision",
            )
    return BatchForm(
        form,
        defaults=defaults,
        matrix=tuple(query.getlist("matrix")),
        wildcards=query.get("wildcards", "") in ("1", "true"),
    )


def openai_order(
    body: Mapping[str, Any], digest: str, key: str | None, told: int | None
) -> BatchOrder:
    """The order in a body of OpenAI's form; raises InvalidJob."""
    endpoint, window = body.get("endpoint"), body.get("completion_window", "24h")
    if endpoint not in ENDPOINTS:
        raise InvalidJob(
            "not an endpoint for batches",
            field="endpoint",
            value=endpoint,
            allowed=", ".join(ENDPOINTS),
        )
    found = _WINDOW.fullmatch(window) if isinstance(window, str) else None
    if found is None:
        raise InvalidJob(
            "not a time", field="completion_window", value=window, allowed="such as 24h or 7d"
        )
    input_file_id = body.get("input_file_id")
    if not isinstance(input_file_id, str):
        raise InvalidJob("must be the id of a file", field="input_file_id", value=input_file_id)
    return BatchOrder(
        BatchForm("jsonl", is_openai=True),
        digest,
        key,
        told,
        title=f"batch of {input_file_id}",
        endpoint=endpoint,
        input_file_id=input_file_id,
        completion_window=found[0],
        expires_in=float(int(found[1]) * _SECONDS[found[2]]),
        metadata=read_metadata(body.get("metadata")),
    )


def read_metadata(values: object) -> dict[str, str]:
    """Texts that a client keeps with its batch or file; raises InvalidJob."""
    if values is None:
        return {}
    texts = values if isinstance(values, Mapping) else {}
    if (
        not isinstance(values, Mapping)
        or len(texts) > _MOST_METADATA
        or not all(
            isinstance(one, str) and len(one) <= _MOST_CHARACTERS
            for pair in texts.items()
            for one in pair
        )
    ):
        raise InvalidJob(
            "not valid metadata",
            field="metadata",
            allowed=f"up to {_MOST_METADATA} texts of up to {_MOST_CHARACTERS} characters",
        )
    return dict(texts)
