"""What a client of A1111 sends, and reads."""

from __future__ import annotations

import base64
import io
from typing import Protocol

import httpx
from PIL import Image

from support.manual_worker import LANE

LANES = (LANE, "vignette.int8", "vignette-inpaint.fp16", "film")


class Draw(Protocol):
    """POST to a route while a worker draws."""

    def __call__(self, route: str, **body: object) -> httpx.Response:
        """The answer; ``body`` is added to a prompt."""


def picture(size: tuple[int, int] = (64, 64), colour: str = "teal") -> str:
    """A PNG of one colour, in base64."""
    Image.new("RGB", size, colour).save(buffer := io.BytesIO(), "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def opened(text: str) -> Image.Image:
    """The picture in an answer."""
    return Image.open(io.BytesIO(base64.b64decode(text)))
