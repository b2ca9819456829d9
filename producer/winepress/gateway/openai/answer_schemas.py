"""The answers of these routes in the OpenAPI document."""

from __future__ import annotations

from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}
_WHOLE: dict[str, Any] = {"type": "integer"}
_MOMENT: dict[str, Any] = {"type": "integer", "description": "Unix seconds"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_OPEN: dict[str, Any] = {"type": "object"}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": required | optional}


def _list_of(schema: dict[str, Any], **optional: Any) -> dict[str, Any]:
    members = {"object": {"const": "list"}, "data": {"type": "array", "items": schema}}
    return _object(members, **optional)


def _page_of(schema: dict[str, Any]) -> dict[str, Any]:
    ends = {"first_id": _or_null(_TEXT), "last_id": _or_null(_TEXT)}
    return _list_of(schema, has_more={"type": "boolean"}, **ends)


def answers(schema: dict[str, Any], *statuses: int, **media: Any) -> dict[int | str, Any]:
    """The parameter ``responses`` of a route; ``media`` are further media types of its answer."""
    content = {"application/json": {"schema": schema}, **media}
    told = {"content": content, "description": "The answer"}
    return dict.fromkeys(statuses or (200,), told)


_PICTURE = _object({"seed": _WHOLE}, url=_TEXT, b64_json=_TEXT)
PICTURES = _object(
    {"created": _MOMENT, "data": {"type": "array", "items": _PICTURE}},
    size=_TEXT,
    output_format={"enum": ["png", "jpeg", "webp"]},
    background=_TEXT,
    usage=_OPEN,
    job={"type": "string", "description": "id for /v1/jobs"},
    warnings=_TEXTS,
)
MODEL = _object(
    {
        "id": _TEXT,
        "object": {"const": "model"},
        "created": _MOMENT,
        "owned_by": _TEXT,
        "root": {"type": "string", "description": "the model of the farm that this name means"},
    },
    kinds=_TEXTS,
    precisions=_TEXTS,
    workers={
        "type": "object",
        "description": "precision → live workers",
        "additionalProperties": _WHOLE,
    },
    has_previews={"type": "boolean"},
    **dict.fromkeys(("width", "height", "size_multiple", "max_side"), _WHOLE),
    **dict.fromkeys(("num_inference_steps", "max_steps"), _WHOLE),
    guidance_scale={"type": "number"},
    scheduler=_TEXT,
)
MODELS = _list_of(MODEL)
_OPENAI_FILE = _object(
    {
        "id": _TEXT,
        "object": {"const": "file"},
        "bytes": {"type": "integer", "description": "0 for results, which are not written yet"},
        "created_at": _MOMENT,
        "filename": _TEXT,
        "purpose": _TEXT,
        "status": {"const": "processed"},
    },
    expires_at=_MOMENT,
)
_REPLICATE_FILE = _object(
    {
        "id": _TEXT,
        "name": _TEXT,
        "content_type": _TEXT,
        "size": _WHOLE,
        "etag": _TEXT,
        "checksums": _OPEN,
        "metadata": _OPEN,
        "created_at": _TEXT,
        "expires_at": _or_null(_TEXT),
        "urls": _OPEN,
    }
)
FILE = {"anyOf": [_OPENAI_FILE, _REPLICATE_FILE]}
FILES = _page_of(FILE)
DELETED = _object({"id": _TEXT, "object": {"const": "file"}, "deleted": {"type": "boolean"}})
_FAULT = _object({"line": _or_null(_WHOLE), "message": _TEXT, "code": _TEXT})
_JOB = _object(
    {"id": _TEXT, "links": _OPEN},
    state=_TEXT,
    lane=_TEXT,
    units=_WHOLE,
    done=_WHOLE,
    failed=_WHOLE,
)
_WARNING = _object({"message": _TEXT, "pictures": _WHOLE})
BATCH = _object(
    {
        "id": _TEXT,
        "object": {"const": "batch"},
        "status": {
            "enum": ["failed", "in_progress", "completed", "expired", "cancelling", "cancelled"]
        },
        "created_at": _MOMENT,
        "request_counts": _object({"total": _WHOLE, "completed": _WHOLE, "failed": _WHOLE}),
        "jobs": {"type": "array", "items": _JOB},
        "pictures": _WHOLE,
        "warnings": {"type": "array", "items": _WARNING},
    },
    endpoint=_TEXT,
    input_file_id=_TEXT,
    output_file_id=_or_null(_TEXT),
    error_file_id=_or_null(_TEXT),
    completion_window=_TEXT,
    metadata=_or_null(_OPEN),
    errors=_or_null(_list_of(_FAULT)),
)
BATCHES = _page_of(BATCH)
PLAN = _object(
    {
        "object": {"const": "batch.plan"},
        "is_valid": {"type": "boolean"},
        "lines": _WHOLE,
        "pictures": _WHOLE,
        "megapixel_steps": {"type": "number"},
        "lanes": {"type": "array", "items": _OPEN},
        "warnings": {"type": "array", "items": _WARNING},
        "errors": {"type": "array", "items": _FAULT},
        "more_errors": _WHOLE,
    }
)
ERROR = _object(
    {
        "error": _object(
            {
                "message": _TEXT,
                "type": _TEXT,
                "param": _or_null(_TEXT),
                "code": {"type": "string", "description": "stable; programs may compare it"},
            }
        )
    }
)
