"""The MCP server: lists the tools, calls them, and tells errors in one line."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
)

from winepress.gateway.mcp.backend import Backend
from winepress.gateway.mcp.tools import TOOLS, Call
from winepress_shared import __version__
from winepress_shared.errors import WinepressError

log = logging.getLogger(__name__)

Context = ServerRequestContext[Any, Any]

_INSTRUCTIONS = (
    "Winepress draws pictures and zoom videos on a farm of machines. Drawing is a job in a queue: "
    "generate_image, edit_image and zoom_video answer when it ends or after wait_s seconds with "
    "its job_id; job_status and wait tell more later. Show the user the link to each picture, "
    "because previews are small. A picture of an earlier job is JOB_ID/NUMBER."
)


def make_server(
    backend_of: Callable[[Context], Backend],
    told: Callable[[WinepressError], str] = lambda error: error.message,
) -> Server[Any]:
    """A server of the tools; ``backend_of`` is the farm for the caller of one request."""
    tools = {tool.name: tool for tool in TOOLS}
    listed = [tool.listed() for tool in TOOLS]

    async def list_tools(_: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=listed)

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        tool = tools.get(params.name)
        if tool is None:
            known = ", ".join(tools)
            raise MCPError(INVALID_PARAMS, f"no tool {params.name[:100]!r}; there are: {known}")

        async def report(percent: float, text: str) -> None:
            await context.session.report_progress(percent, 100, text)

        try:
            arguments = tool.arguments.read(params.arguments or {})
            return await tool.run(Call(backend_of(context), report), arguments)
        except WinepressError as error:
            return _failed(told(error))
        except Exception as error:
            number = secrets.token_hex(4)
            log.error("unexpected error %s in %s", number, tool.name, exc_info=error)
            return _failed(f"unexpected error; the log of the server tells more under {number}")

    return Server(
        "winepress",
        version=__version__,
        title="Winepress",
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _failed(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
