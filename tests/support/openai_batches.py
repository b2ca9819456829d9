"""Batches of OpenAI's API: lines, uploads, orders and results."""

from __future__ import annotations

import io
import json
from typing import Any

from openai import OpenAI
from PIL import Image


def png() -> bytes:
    """A small picture."""
    Image.new("RGB", (64, 64), "red").save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


def line(number: int, url: str = "/v1/images/generations", **body: Any) -> dict[str, Any]:
    """One request of a batch."""
    body = {"model": "dall-e-3", "prompt": f"apple {number}", "num_inference_steps": 2} | body
    return {"custom_id": f"apple-{number}", "method": "POST", "url": url, "body": body}


def upload(client: OpenAI, *lines: dict[str, Any]) -> str:
    """The id of a new file with these lines."""
    text = "".join(json.dumps(one) + "\n" for one in lines)
    return client.files.create(file=("batch.jsonl", text.encode()), purpose="batch").id


def submit(client: OpenAI, *lines: dict[str, Any]) -> Any:
    """A new batch of these lines."""
    return client.batches.create(
        input_file_id=upload(client, *lines),
        endpoint="/v1/images/generations",
        completion_window="24h",
        metadata={"purpose": "fruit"},
    )


def lines_of(client: OpenAI, file_id: str | None) -> dict[str, Any]:
    """Every line of a file of results, by its custom_id."""
    assert file_id
    found = map(json.loads, client.files.content(file_id).text.splitlines())
    return {one["custom_id"]: one for one in found}
