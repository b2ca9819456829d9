"""``/v1/images``: pictures from prompts, and edits of pictures."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from winepress.gateway.body import read_form, read_object
from winepress.gateway.credentials import CallerOf
from winepress.gateway.openai.answer_schemas import PICTURES, answers
from winepress.gateway.openai.drawing import draw

_TEXT = {"type": "string"}
_FIELDS: dict[str, Any] = {
    "prompt": _TEXT,
    "model": {"type": "string", "description": "of the farm, or a name of OpenAI"},
    "n": {"type": "integer", "minimum": 1, "maximum": 10},
    "size": {"type": "string", "description": "WIDTHxHEIGHT or auto"},
    "response_format": {"enum": ["url", "b64_json"]},
    "output_format": {"enum": ["png", "jpeg", "webp"]},
    "output_compression": {"type": "integer", "minimum": 0, "maximum": 100},
    "stream": {"type": "boolean"},
    "partial_images": {"type": "integer", "minimum": 0, "maximum": 3},
    "user": {"type": "string", "description": "of your own service; users take turns"},
    "negative_prompt": _TEXT,
    "num_inference_steps": {"type": "integer"},
    "guidance_scale": {"type": "number"},
    "seed": {"type": "integer"},
    "precision": _TEXT,
    "scheduler": _TEXT,
}
_FILE = {"type": "string", "format": "binary"}
_GENERATION = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "required": ["prompt"], "properties": _FIELDS}
            }
        },
    }
}
_EDIT_JSON = {
    "type": "object",
    "required": ["prompt"],
    "properties": _FIELDS
    | {"image": {"type": "string", "description": "base64, data: URL or sha256: reference"}},
}
_EDIT_FORM = {
    "type": "object",
    "required": ["prompt", "image"],
    "properties": _FIELDS
    | {"image": _FILE, "mask": {**_FILE, "description": "transparent is drawn anew"}},
}
_EDIT = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _EDIT_FORM},
            "application/json": {"schema": _EDIT_JSON},
        },
    }
}
_EVENTS: dict[str, Any] = {"text/event-stream": {"schema": _TEXT}}
_ANSWER = answers(PICTURES, **_EVENTS)

router = APIRouter(prefix="/v1/images", tags=["images"])


@router.post("/generations", openapi_extra=_GENERATION, responses=_ANSWER)
async def generate(request: Request, caller: CallerOf) -> Response:
    """Draw pictures from a prompt; the answer comes when they are finished.

    Fields of a job that OpenAI does not have stand beside those of OpenAI.
    """
    return await draw(request, caller, await read_object(request), "text-to-image")


@router.post("/edits", openapi_extra=_EDIT, responses=_ANSWER)
async def edit(request: Request, caller: CallerOf) -> Response:
    """Draw a picture anew from a prompt; with a mask, only where the mask is transparent."""
    is_json = "json" in request.headers.get("content-type", "")
    values = await read_object(request) if is_json else await _form(request)
    has_mask = bool(values.get("mask"))
    return await draw(request, caller, values, "inpaint" if has_mask else "image-to-image")


async def _form(request: Request) -> dict[str, Any]:
    """The fields of a form; a field that is given several times, such as ``image[]``, is a list."""
    values: dict[str, Any] = {}
    form = await read_form(request)
    try:
        for given_name, value in form.multi_items():
            name = given_name.removesuffix("[]")
            found = await value.read() if isinstance(value, UploadFile) else value
            if found == "" and name != "prompt":
                continue  # a field that was left empty
            if name in values:
                earlier = values[name]
                values[name] = [*(earlier if isinstance(earlier, list) else [earlier]), found]
            else:
                values[name] = found
    finally:
        await form.close()
    return values
