"""The trace to which a request says that it belongs."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from winepress_shared.trace_context import HEADER, asked_from
from winepress_shared.tracing import naming_trace


class TracedRequests:
    """Lets jobs continue the trace of the request that submits them, whichever its dialect is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == HEADER.encode()]
        # Several belong to no trace, and neither does one that is no context.
        text = given[0].decode("latin-1") if len(given) == 1 else ""
        with asked_from(text), naming_trace([text]):
            await self._app(scope, receive, send)
