"""JSON schemas without references, which some assistants cannot follow."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def plain_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model, with each reference replaced by what it names."""
    schema = model.model_json_schema(mode="serialization")
    found: dict[str, Any] = _inlined(schema, schema.pop("$defs", {}))
    return found


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _inlined(value, definitions) for name, value in schema.items() if name != "$ref"}
    if "$ref" in schema:  # what stands beside it is about this one place
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions) | found
    return found
