"""A dialect: the routes of one family of clients, and the form of its errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from winepress.gateway.problems import Problem


@dataclass(frozen=True)
class Dialect:
    """One family of routes; to add a family, write one and list it in `app.DIALECTS`."""

    name: str
    routers: tuple[APIRouter, ...]
    paths: re.Pattern[str]  #: of every path that is this dialect's, known routes or not
    answer: Callable[[Problem], Response]  #: an error in the dialect's own form

    def owns(self, path: str) -> bool:
        """Whether a path belongs to this dialect."""
        return self.paths.match(path) is not None


def problem_json(problem: Problem) -> Response:
    """The error of a native route, ``application/problem+json`` (RFC 9457)."""
    return JSONResponse(
        problem.document(),
        problem.status,
        problem.headers,
        media_type="application/problem+json",
    )
