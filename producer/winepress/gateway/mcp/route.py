"""``/mcp``: the tools over streamable HTTP, each request by itself, for the caller of the key."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from fastapi import APIRouter, FastAPI, Request
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import INVALID_REQUEST
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from winepress.aio.client import AsyncClient
from winepress.gateway.access import Caller
from winepress.gateway.credentials import caller_of
from winepress.gateway.dialect import Dialect
from winepress.gateway.gateway import Gateway, gateway_of
from winepress.gateway.intake import JobRequest, submit
from winepress.gateway.mcp.backend import Backend
from winepress.gateway.mcp.server import Context, make_server
from winepress.gateway.problems import Problem, problem_of
from winepress.gateway.refusals import WrongMethod
from winepress.handle import JobHandle
from winepress_shared.archive import Output
from winepress_shared.ledger.records import JobRow, Worker

router = APIRouter()


@dataclass(frozen=True)
class CallersBackend:
    """The farm as the caller of one request may use it; a `Backend`."""

    gateway: Gateway
    request: Request
    caller: Caller

    @property
    def client(self) -> AsyncClient:
        """`Backend.client`."""
        return self.gateway.client

    @property
    def models(self) -> frozenset[str] | None:
        """`Backend.models`."""
        return self.caller.models

    async def submit(self, fields: Mapping[str, Any]) -> JobHandle:
        """`Backend.submit`; raises Forbidden too."""
        return await submit(self.gateway, self.caller, JobRequest(fields))

    async def row(self, job_id: str) -> JobRow:
        """`Backend.row`; raises Gone too."""
        return await self.gateway.row_for(self.caller, job_id)

    async def row_to_control(self, job_id: str) -> JobRow:
        """`Backend.row_to_control`."""
        return await self.gateway.row_to_control(self.caller, job_id)

    def workers(self) -> Sequence[Worker]:
        """`Backend.workers`, as of the last second."""
        return self.gateway.workers.now()

    def link(self, handle: JobHandle, output: Output) -> str:
        """`Backend.link`: a signed link of this gateway."""
        return self.gateway.output_url(self.request, handle.id, output)


class Endpoint:
    """The ASGI application of the route, which knows the caller before the SDK reads anything."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; raises what `caller_of` raises, and WrongMethod."""
        request = Request(scope, receive)
        request.state.caller = await caller_of(request)
        if request.method != "POST":
            raise WrongMethod(
                "every request here is complete in itself, so there is nothing to listen to",
                value=request.method,
                allowed="POST",
            )
        manager: StreamableHTTPSessionManager = request.app.state.mcp
        await manager.handle_request(scope, receive, send)


def _backend_of(context: Context) -> Backend:
    request = cast("Request", context.request)
    return CallersBackend(gateway_of(request), request, request.state.caller)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep no sessions: any gateway of the farm answers any request, also after a restart."""
    manager = StreamableHTTPSessionManager(
        make_server(_backend_of, lambda error: problem_of(error).message),
        stateless=True,
        max_request_body_size=sys.maxsize,  # the gateway has limits of its own
    )
    async with manager.run():
        app.state.mcp = manager
        yield


def _json_rpc_error(problem: Problem) -> Response:
    """An error before or beside a call, as JSON-RPC tells it; ``data`` is our own form."""
    error = {"code": INVALID_REQUEST, "message": problem.message, "data": problem.document()}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, problem.status)


router.routes.append(Route("/mcp", Endpoint(), include_in_schema=False))

DIALECT = Dialect("mcp", (router,), re.compile(r"/mcp(?:/|$)"), _json_rpc_error, lifespan=_lifespan)
