"""Finished pictures in the form in which OpenAI answers."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from winepress_shared.archive import Output

#: No model of a farm counts tokens; clients that compute a price find nothing to pay.
USAGE = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}


def picture_json(output: Output, url: str | None, content: bytes | None) -> dict[str, Any]:
    """One member of ``data``; the seed is our own."""
    members: dict[str, Any] = {"seed": output.seed}
    if url is not None:
        members["url"] = url
    if content is not None:
        members["b64_json"] = base64.b64encode(content).decode()
    return members


def format_of(output: Output) -> str:
    """The format of a picture, as OpenAI calls it."""
    suffix = output.key.rpartition(".")[2]
    return "jpeg" if suffix == "jpg" else suffix


def answer_json(
    job_id: str, pictures: list[dict[str, Any]], outputs: list[Output], warnings: tuple[str, ...]
) -> bytes:
    """The body of an answer; ``job`` and ``warnings`` are our own members."""
    members: dict[str, Any] = {
        "created": int(time.time()),
        "data": pictures,
        "background": "opaque",
        "usage": USAGE,
        "job": job_id,
    }
    if outputs:
        first = outputs[0]
        members |= {"output_format": format_of(first), "size": f"{first.width}x{first.height}"}
    said = [*warnings, *(one for output in outputs for one in output.warnings)]
    if said:
        members["warnings"] = list(dict.fromkeys(said))
    return json.dumps(members).encode()
