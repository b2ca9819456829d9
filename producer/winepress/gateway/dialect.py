"""A dialect: the routes of one family of clients, and the form of its errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import JSONResponse, Response

from winepress.gateway.problems import Problem

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable; programs may compare it"},
        "detail": {"type": "string", "description": "what is wrong, and what to do next"},
        "field": {"type": "string", "description": "that is wrong"},
    },
}
PROBLEM_JSON = {"application/problem+json": {"schema": _PROBLEM}}


@dataclass(frozen=True)
class Dialect:
    """One family of routes; to add a family, write one and list it in `app.DIALECTS`."""

    name: str  #: for metrics
    routers: tuple[APIRouter, ...]
    paths: re.Pattern[str]  #: of every path that is this dialect's, known routes or not
    answer: Callable[[Problem], Response]  #: an error in the dialect's own form
    #: Media type → schema of such an answer, for the OpenAPI document.
    errors: Mapping[str, Any] = field(default_factory=lambda: PROBLEM_JSON)
    #: What runs beside the routes, from the start of the application to its end.
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] = lambda _: nullcontext()

    @property
    def responses(self) -> dict[int | str, dict[str, Any]]:
        """The answers that every route may give, for the OpenAPI document."""
        told = {"content": dict(self.errors)}
        return {
            422: told | {"description": "A field is wrong"},
            "4XX": told | {"description": "The request is refused"},
            "5XX": told | {"description": "The farm or the gateway cannot serve it now"},
        }

    def owns(self, path: str) -> bool:
        """Whether a path belongs to this dialect."""
        return self.paths.match(path) is not None


def problem_json(problem: Problem) -> Response:
    """The error of a native route, ``application/problem+json`` (RFC 9457)."""
    return JSONResponse(
        problem.document(),
        problem.status,
        media_type="application/problem+json",
    )
