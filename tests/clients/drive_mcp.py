"""Draws a picture with the first generation of MCP's SDK, over HTTP and over stdio."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client  # type: ignore[attr-defined]


async def _draw(streams: Any) -> dict[str, Any]:
    """What a tool answers, with the progress that was told before."""
    told: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    async with ClientSession(streams[0], streams[1]) as session:
        await session.initialize()
        await session.list_tools()
        arguments = {"prompt": "a red apple"}
        drawn = await session.call_tool("generate_image", arguments, progress_callback=hear)
    answer = drawn.model_dump(by_alias=True)["structuredContent"]
    return {"state": answer["state"], "told": told}


async def _main(address: str, program: str, settings_file: str) -> None:
    server = StdioServerParameters(
        command=program, args=["mcp"], env={"WINEPRESS_CONFIG": settings_file}
    )
    answers = []
    for transport in (streamablehttp_client(address), stdio_client(server)):
        async with transport as streams:
            answers.append(await _draw(streams))
    print(json.dumps(answers))


asyncio.run(_main(*sys.argv[1:]))
