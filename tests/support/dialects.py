"""The dialects of the gateway, as their clients speak them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

_PROMPT = {"prompt": "a red apple"}


def _of_problem(answer: dict[str, Any]) -> tuple[str, str]:
    return answer["code"], answer["detail"]


def _of_openai(answer: dict[str, Any]) -> tuple[str, str]:
    return answer["error"]["code"], answer["error"]["message"]


def _of_a1111(answer: dict[str, Any]) -> tuple[str, str]:
    return answer["error"], answer["detail"]


def _of_mcp(answer: dict[str, Any]) -> tuple[str, str]:
    return answer["error"]["data"]["code"], answer["error"]["message"]


@dataclass(frozen=True)
class Spoken:
    """A dialect as its clients use it."""

    path: str  #: that draws
    body: dict[str, Any]  #: a request that is right
    told: Callable[[dict[str, Any]], tuple[str, str]]  #: code and message of an error
    mistyped: str  #: a path that does not exist
    pictures: str = ""  #: a path that starts from a picture
    #: The body for it, from a picture in base64.
    with_picture: Callable[[str], dict[str, Any]] = lambda data: {}


SPOKEN = {
    "native": Spoken(
        "/v1/jobs",
        _PROMPT,
        _of_problem,
        "/v1/jobbs",
        "/v1/jobs",
        lambda data: _PROMPT | {"kind": "image-to-image", "image": f"data:image/png;base64,{data}"},
    ),
    "openai": Spoken(
        "/v1/images/generations",
        _PROMPT,
        _of_openai,
        "/v1/images/generation",
        "/v1/images/edits",
        lambda data: _PROMPT | {"image": f"data:image/png;base64,{data}"},
    ),
    "a1111": Spoken(
        "/sdapi/v1/txt2img",
        _PROMPT,
        _of_a1111,
        "/sdapi/v1/txt2im",
        "/sdapi/v1/img2img",
        lambda data: _PROMPT | {"init_images": [f"data:image/png;base64,{data}"]},
    ),
    "replicate": Spoken(
        "/v1/predictions",
        {"version": "vignette", "input": _PROMPT},
        _of_problem,
        "/v1/predictions/x/cancels",
        "/v1/predictions",
        lambda data: {
            "version": "vignette",
            "input": _PROMPT | {"image": f"data:image/png;base64,{data}"},
        },
    ),
    "mcp": Spoken(
        "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, _of_mcp, "/mcp/tools"
    ),
}
#: MCP answers what is no JSON-RPC, and faults of a tool, in the protocol's own way.
DRAWING = [spoken for name, spoken in SPOKEN.items() if name != "mcp"]
every_dialect = pytest.mark.parametrize("spoken", SPOKEN.values(), ids=list(SPOKEN))
drawing_dialects = pytest.mark.parametrize("spoken", DRAWING, ids=[one.path for one in DRAWING])
