"""The schema of bodies in the OpenAPI document: any JSON object, whatever its media type."""

from __future__ import annotations

from typing import Any

#: For routes that read their body themselves: some clients send JSON as a form.
OBJECT: dict[str, Any] = {
    "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}
}
