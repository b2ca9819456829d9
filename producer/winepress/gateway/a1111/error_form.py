"""An error as A1111 writes it."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from winepress.gateway.problems import Problem


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
