"""Draws a picture with LangChain's wrapper of DALL-E; runs where that is installed.

Its argument is the address of the gateway. Prints the links of the pictures.
"""

from __future__ import annotations

import json
import sys

from langchain_community.utilities.dalle_image_generator import DallEAPIWrapper


def main(gateway: str) -> None:
    """Draw two pictures."""
    wrapper = DallEAPIWrapper(base_url=f"{gateway}/v1", api_key="none", model="dall-e-3", n=2)
    print(json.dumps(wrapper.run("a red apple").split(wrapper.separator)))


if __name__ == "__main__":
    main(sys.argv[1])
