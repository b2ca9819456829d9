"""Asks image-generation-mcp for a picture, as an assistant does; runs where that is installed.

Its arguments: the program, the gateway, and a model that draws 768x512. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

_LOOK_S = 0.1


async def main(program: str, gateway: str, model: str) -> None:
    """Draw one picture with the server that ``program`` is."""
    names = {"SD_WEBUI_HOST": gateway, "SD_WEBUI_MODEL": model, "READ_ONLY": "false"}
    environment = {f"IMAGE_GENERATION_MCP_{name}": value for name, value in names.items()}
    async with Client(StdioTransport(program, ["serve"], env=environment)) as client:
        asked = {"prompt": "a red apple", "provider": "sd_webui", "aspect_ratio": "3:2"}
        status = await _told(client, "generate_image", asked)
        one = {"image_id": status["image_id"]}
        while status["status"] == "generating":
            await asyncio.sleep(_LOOK_S)
            status = await _told(client, "check_generation_status", one)
    print(json.dumps(status))


async def _told(client: Any, tool: str, asked: dict[str, str]) -> dict[str, Any]:
    answer = await client.call_tool(tool, asked)
    status: dict[str, Any] = json.loads(answer.content[0].text)
    return status


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
