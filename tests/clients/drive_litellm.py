"""Draws and edits a picture with litellm; runs where that is installed.

Its argument is the address of the gateway. Prints what it got as JSON.
"""

from __future__ import annotations

import base64
import json
import sys

import litellm


def main(gateway: str) -> None:
    """Draw one picture as a link and one as bytes."""
    where = {"api_base": f"{gateway}/v1", "api_key": "none"}
    linked = litellm.image_generation(
        "a red apple", model="openai/dall-e-3", n=2, size="1024x1024", user="alice", **where
    )
    held = litellm.image_generation(
        "a red apple", model="openai/gpt-image-1", output_format="jpeg", quality="low", **where
    )
    print(
        json.dumps(
            {
                "urls": [one.url for one in linked.data],
                "begins": base64.b64decode(held.data[0].b64_json)[:2].hex(),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
