"""``/sdapi/v1/png-info``: how a picture was made, as its file says."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from fastapi import APIRouter, Request

from winepress.gateway.a1111.given_picture import given_picture
from winepress.gateway.body import read_object
from winepress.gateway.credentials import CallerOf
from winepress.gateway.gateway import gateway_of
from winepress.gateway.refusals import NoRoute
from winepress.gateway.request_body import OBJECT
from winepress.job_files.infotext import read_settings
from winepress_shared.metadata import read

router = APIRouter(prefix="/sdapi/v1", tags=["a1111"])


@router.post("/png-info", openapi_extra=OBJECT)
async def png_info(request: Request, caller: CallerOf) -> dict[str, Any]:
    """The infotext, its settings, and the other texts of a PNG, JPEG or WebP file."""
    body = await read_object(request)
    return await gateway_of(request).client.in_thread(_info, body.get("image"))


def _info(image: object) -> dict[str, Any]:
    found = read(given_picture("image", image))
    text = found.parameters or ""
    return {
        "info": text,
        "items": {} if found.details is None else {"winepress": json.dumps(found.details)},
        "parameters": read_settings(text) if text else {},
    }


@router.post("/interrogate", response_model=None)
async def interrogate(caller: CallerOf) -> NoReturn:
    """Refused: a farm draws pictures, and does not describe them."""
    raise NoRoute(
        "this farm does not describe pictures",
        value="interrogate",
        hint="POST /sdapi/v1/png-info reads the prompt of a picture that was drawn here",
    )
