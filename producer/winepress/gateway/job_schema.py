"""The schema of a submission in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from winepress_shared.jobs.job import ImageToImage, Inpaint, TextToImage
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.webhook import WebhookEvent

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


def _submission() -> dict[str, Any]:
    kinds: dict[str, Any] = {}
    for kind in (TextToImage, ImageToImage, Inpaint, ZoomVideo):
        schema = TypeAdapter(kind).json_schema(mode="validation")
        definitions = schema.pop("$defs", {})
        schema = _inlined(schema, definitions)
        schema["properties"] |= _TERMS
        kinds[kind.__name__] = schema
    content = {"application/json": {"schema": {"anyOf": list(kinds.values())}}}
    return {"requestBody": {"required": True, "content": content}}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """``schema`` with each reference replaced by what it names."""
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _inlined(value, definitions) for name, value in schema.items()}


SUBMISSION = _submission()  #: what ``POST /v1/jobs`` reads; field names of other programs work too
