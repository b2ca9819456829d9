"""Draws two pictures at a time with webuiapi's asynchronous mode; runs where aiohttp is installed.

Its argument is the address of the gateway. Prints the seeds as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys

from webuiapi import WebUIApi


async def main(gateway: str) -> None:
    """Draw both."""
    api = WebUIApi(baseurl=f"{gateway}/sdapi/v1", steps=4)
    calls = [
        api.txt2img(prompt="an apple", seed=seed, width=128, height=128, use_async=True)
        for seed in (7, 8)
    ]
    results = await asyncio.gather(*calls)
    print(json.dumps([result.info["seed"] for result in results]))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
