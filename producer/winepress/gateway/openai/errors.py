"""Errors in the form of OpenAI, which its clients turn into their own exceptions."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from winepress.gateway.problems import Problem

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
#: Clients of OpenAI know these by other names.
_CODES = {"unknown-model": "model_not_found", "unauthorized": "invalid_api_key"}
#: Errors of a status that these clients repeat, and that a repetition would meet again.
_FINAL = ("job-failed", "job-canceled", "job-expired", "conflict", "damaged-record")


def openai_error(problem: Problem) -> Response:
    """The answer to a request that went wrong."""
    headers: dict[str, str] = {}
    if problem.status == 409 or problem.code in _FINAL:
        headers["x-should-retry"] = "false"
    return JSONResponse({"error": error_members(problem)}, status_of(problem), headers)


def error_members(problem: Problem) -> dict[str, Any]:
    """The members of ``error``."""
    status = status_of(problem)
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    code = problem.code
    if code != "unknown-model" or problem.field == "model":
        code = _CODES.get(code, code)
    return {"message": problem.message, "type": kind, "param": problem.field, "code": code}


def status_of(problem: Problem) -> int:
    """The status that OpenAI would answer: 404 for an unknown model, 400 for any other field."""
    if problem.code == "unknown-model" and problem.field == "model":
        return 404
    return 400 if problem.status == 422 else problem.status
