"""Asks sd-api-mcp for pictures, as an assistant does; runs where that is installed.

Its arguments: the program, the gateway, and a folder for the pictures. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

_WISH = {"prompt": "a red apple", "steps": 4, "width": 128, "height": 128, "seed": 7}


async def main(program: str, gateway: str, folder: str) -> None:
    """Draw, edit with a mask, and make the picture larger."""
    wish = _WISH | {"output_dir": folder}
    async with Client(StdioTransport(program, [], env={"SD_WEBUI_URL": gateway})) as client:

        async def told(tool: str, **asked: Any) -> Any:
            return (await client.call_tool(tool, asked)).data

        models = await told("get_sd_models")
        await told("set_sd_model", model_name=models[0])
        (drawn,) = await told("txt2img", **wish)
        (edited,) = await told("img2img", **wish, init_image=drawn, mask=drawn)
        upscalers = await told("get_sd_upscalers")
        size = {"upscaling_resize": 2.0, "upscaler_1": "Lanczos", "output_dir": folder}
        (larger,) = await told("upscale_images", images=[edited], **size)
    files = {"drawn": drawn, "edited": edited, "larger": larger}
    print(json.dumps(files | {"models": models, "upscalers": upscalers}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
