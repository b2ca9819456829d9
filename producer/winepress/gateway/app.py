"""The ASGI application: the routes of every dialect over one farm."""

from __future__ import annotations

import difflib
import logging
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from winepress.gateway import a1111, native, openai, page, replicate
from winepress.gateway.body import BodyLimits
from winepress.gateway.dialect import Dialect
from winepress.gateway.gateway import Gateway
from winepress.gateway.job_schema import job_schemas
from winepress.gateway.mcp import route as mcp
from winepress.gateway.page.routes import is_for_people, not_found
from winepress.gateway.problems import Problem, problem_of
from winepress.gateway.refusals import BadRequest, NoRoute, WrongMethod
from winepress.gateway.request_counts import CountedRequests, RequestCounts
from winepress.gateway.request_trace import TracedRequests
from winepress_shared import __version__
from winepress_shared.errors import FarmUnreachable, WinepressError, WrongUsage
from winepress_shared.jobs.refusal import complaint_of
from winepress_shared.settings import Settings
from winepress_shared.terminal import shown

log = logging.getLogger(__name__)

#: The first one that owns a path answers errors there.
DIALECTS: tuple[Dialect, ...] = (
    page.DIALECT,
    a1111.DIALECT,
    replicate.DIALECT,
    openai.DIALECT,
    mcp.DIALECT,
    native.DIALECT,
)
#: What has the pattern of a parameter or header.
_FORMS = {
    "cursor": "the `next_cursor` of a page",
    "after": "the id of an event",
    "last-event-id": "the id of an event",
}


class _Application(FastAPI):
    """The application, with the schemas of all job kinds in its document."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made at first use."""
        if self.openapi_schema is None:
            super().openapi()["components"]["schemas"] |= job_schemas()
        return super().openapi()


def _operation_id(route: APIRoute) -> str:
    """A name that a generated client can give its function: the method, the path's own words."""
    words = re.findall(r"[A-Za-z0-9]+", route.path)
    return "_".join((*sorted(method.lower() for method in route.methods or ()), *words))


def make_app(settings: Settings) -> FastAPI:
    """The application for one farm; it connects when it is started."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.gateway = gateway = await Gateway.open(settings)
            stack.push_async_callback(gateway.close)
            for dialect in DIALECTS:
                await stack.enter_async_context(dialect.lifespan(app))
            yield

    app = _Application(
        title="Winepress",
        version=__version__,
        description="Pictures and zoom videos from a farm of Intel machines.",
        lifespan=lifespan,
        docs_url=None,  # both pages load their scripts from foreign hosts
        redoc_url=None,
        generate_unique_id_function=_operation_id,
    )
    for dialect in DIALECTS:
        for router in dialect.routers:
            app.include_router(router, responses=dialect.responses)
    app.add_middleware(TracedRequests)
    app.add_middleware(BodyLimits)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=("*",),
            expose_headers=("Location", "Retry-After"),
            allow_private_network=True,  # a public page that is allowed may call a private address
        )
    app.state.request_counts = counts = RequestCounts()
    app.add_middleware(
        CountedRequests, counts=counts, dialect_of=lambda path: _dialect_of(path).name
    )
    app.add_exception_handler(WinepressError, _told)
    app.add_exception_handler(RequestValidationError, _told)
    app.add_exception_handler(HTTPException, _told)
    app.add_exception_handler(Exception, _unexpected)
    return app


async def _told(request: Request, error: Exception) -> Response:
    """The answer to an error of the caller, or of the farm."""
    ours = _as_ours(request, error)
    if isinstance(ours, FarmUnreachable):
        log.warning("%s: %s", request.url.path[:200], ours)
    response = _answer(request, problem_of(ours))
    if isinstance(ours, WrongMethod) and ours.allowed:
        response.headers["Allow"] = ours.allowed
    return response


def _as_ours(request: Request, error: Exception) -> WinepressError:
    if isinstance(error, WinepressError):
        return error
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        problem, allowed = complaint_of(first)
        allowed = _FORMS.get(where, allowed) if "pattern" in first.get("ctx", {}) else allowed
        return WrongUsage(problem, field=where or None, value=first["input"], allowed=allowed)
    if isinstance(error, HTTPException) and error.status_code == 404:
        return _no_route(request)
    if isinstance(error, HTTPException) and error.status_code == 405:
        allowed = _methods(request) or (error.headers or {}).get("Allow")
        return WrongMethod("this route has no such method", value=request.method, allowed=allowed)
    return BadRequest(str(error))


def _methods(request: Request) -> str:
    """The methods of every route with this path; Starlette tells those of one."""
    found = {
        method.upper()
        for template, operations in request.app.openapi()["paths"].items()
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), request.url.path)
        for method in operations
    }
    return ", ".join(sorted(found))


def _no_route(request: Request) -> NoRoute:
    """The error for an unknown route, with the nearest known one of the same dialect."""
    dialect = _dialect_of(request.url.path)
    known = [path for path in request.app.openapi()["paths"] if _dialect_of(path) is dialect]
    near = difflib.get_close_matches(request.url.path, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "/openapi.json lists the routes"
    return NoRoute("this gateway has no such route", value=request.url.path[:200], hint=hint)


async def _unexpected(request: Request, error: Exception) -> Response:
    """The answer to a fault of the gateway itself; the log has the traceback under its number."""
    number = secrets.token_hex(4)
    log.error("unexpected error %s at %s", number, shown(request.url.path[:200]), exc_info=error)
    message = f"unexpected error of the gateway; its log tells more under {number}"
    return _answer(request, Problem(500, "unexpected", message))


def _dialect_of(path: str) -> Dialect:
    return next(one for one in DIALECTS if one.owns(path))


def _answer(request: Request, problem: Problem) -> Response:
    if is_for_people(request, problem):
        return not_found(request)
    response = _dialect_of(request.url.path).answer(problem)
    response.headers.update(problem.headers)
    return response
