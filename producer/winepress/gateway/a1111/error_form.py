"""An error as A1111 writes it."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from winepress.gateway.problems import Problem

_MEMBERS = ("error", "detail", "body", "errors")
#: What `error_form` answers, for the OpenAPI document.
ERRORS = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": list(_MEMBERS),
            "properties": {name: {"type": "string"} for name in _MEMBERS},
        }
    }
}


def error_form(problem: Problem) -> Response:
    """``error`` is our stable code; clients show ``detail`` or ``errors``."""
    return JSONResponse(
        {
            "error": problem.code,
            "detail": problem.message,
            "body": "",
            "errors": problem.message,
        },
        problem.status,
    )
