"""The schema of a submission in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from winepress_shared.jobs.job import ImageToImage, Inpaint, TextToImage
from winepress_shared.jobs.zoom import ZoomVideo

_TERMS: dict[str, Any] = {
    "user": {"type": "string", "description": "of your own service; users take turns"},
    "expires_in": {"type": "number", "description": "deadline, in seconds from now"},
    "start_in": {"type": "number", "description": "earliest start, in seconds from now"},
    "window": {"type": "string", "description": "part of each day, such as 22:00-06:00"},
}


def _submission() -> dict[str, Any]:
    kinds: dict[str, Any] = {}
    for kind in (TextToImage, ImageToImage, Inpaint, ZoomVideo):
        schema = TypeAdapter(kind).json_schema(mode="validation")
        definitions = schema.pop("$defs", {})
        schema = inlined(schema, definitions)
        schema["properties"] |= _TERMS
        kinds[kind.__name__] = schema
    content = {"application/json": {"schema": {"anyOf": list(kinds.values())}}}
    return {"requestBody": {"required": True, "content": content}}


def inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """``schema`` with each reference replaced by what it names."""
    if isinstance(schema, list):
        return [inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: inlined(value, definitions) for name, value in schema.items() if name != "$ref"}
    if "$ref" in schema:  # what stands beside it is about this one place
        return inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions) | found
    return found


SUBMISSION = _submission()  #: what ``POST /v1/jobs`` reads; field names of other programs work too
