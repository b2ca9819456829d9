"""The schema of a submission in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from winepress_shared.jobs.job import ImageToImage, Inpaint, TextToImage
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.webhook import WebhookEvent

_KINDS = (TextToImage, ImageToImage, Inpaint, ZoomVideo)
_TERMS: dict[str, Any] = {
    "user": {"type": "string", "description": "of your own service; users take turns"},
    "expires_in": {"type": "number", "description": "deadline, in seconds from now"},
    "start_in": {"type": "number", "description": "earliest start, in seconds from now"},
    "window": {"type": "string", "description": "part of each day, such as 22:00-06:00"},
    "webhook": {
        "type": "string",
        "format": "uri",
        "description": "is told what happens to the job",
    },
    "webhook_events_filter": {
        "type": "array",
        "items": {"enum": [event.value for event in WebhookEvent]},
        "default": [WebhookEvent.COMPLETED.value],
    },
}


def job_schemas() -> dict[str, Any]:
    """Name → schema of every job kind and of what they have in common, for ``components``."""
    _, found = models_json_schema(
        [(kind, "validation") for kind in _KINDS], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Any] = found["$defs"]
    for kind in _KINDS:
        schemas[kind.__name__]["properties"] |= _TERMS
    return schemas


_REFERENCES = [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in _KINDS]
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "wait=N: answer when the job ends, or after N seconds",
    "schema": {"type": "string", "pattern": "^wait(=[0-9]{1,3})?$"},
}
_ONCE = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "for a day, a repeated submission finds the first job",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
#: What ``POST /v1/jobs`` reads; field names of other programs work too.
SUBMISSION: dict[str, Any] = {
    "parameters": [_PREFER, _ONCE],
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"anyOf": _REFERENCES}}},
    },
}
WAITING: dict[str, Any] = {"parameters": [_PREFER]}  #: what ``GET /v1/jobs/ID`` reads
