"""``/sdapi/v1/extra-single-image`` and ``extra-batch-images``: pictures made larger.

A farm has no upscaler. What Pillow does is done at once, by the gateway: ``Lanczos`` and
``Nearest``; ``None`` answers with the picture as it is.
"""

from __future__ import annotations

import base64
import io
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from winepress.gateway.a1111.farm_lists import RESIZERS
from winepress.gateway.a1111.generation_info import MAX_ANSWER_BYTES
from winepress.gateway.a1111.given_picture import given_picture
from winepress.gateway.body import read_object
from winepress.gateway.callers import SubmitterOf
from winepress.gateway.gateway import gateway_of
from winepress.gateway.refusals import BodyTooLarge
from winepress.gateway.request_body import OBJECT
from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.picture import MAX_SIDE_PX, Picture
from winepress_shared.jobs.refusal import complaint_of
from winepress_shared.metadata import read
from winepress_shared.regular_file import size_text

_MOST_PICTURES = 32  #: of one request
_FILTERS = {"lanczos": Image.Resampling.LANCZOS, "nearest": Image.Resampling.NEAREST}
_NONE = ("", "none")

router = APIRouter(prefix="/sdapi/v1", tags=["a1111"])


class Resizing(BaseModel):
    """The fields of both requests; those of faces and of a second upscaler must be off."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)
    resize_mode: Literal[0, 1] = 0  #: 0: by a factor, 1: to a size
    upscaling_resize: Annotated[float, Field(gt=0, le=16)] = 2.0
    upscaling_resize_w: Annotated[int, Field(ge=1, le=MAX_SIDE_PX)] = 512
    upscaling_resize_h: Annotated[int, Field(ge=1, le=MAX_SIDE_PX)] = 512
    upscaling_crop: bool = True
    upscaler_1: str = "None"
    upscaler_2: str = "None"
    extras_upscaler_2_visibility: float = 0.0
    gfpgan_visibility: float = 0.0
    codeformer_visibility: float = 0.0

    @classmethod
    def of(cls, body: dict[str, Any]) -> Resizing:
        """Read a body; raises InvalidJob."""
        try:
            resizing = cls(**{name: value for name, value in body.items() if value is not None})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(map(str, first["loc"]))
            problem, allowed = complaint_of(first)
            value = str(first["input"])[:40]
            raise InvalidJob(problem, field=field, value=value, allowed=allowed) from None
        resizing._refuse_faces()
        return resizing

    def _refuse_faces(self) -> None:
        for name in ("gfpgan_visibility", "codeformer_visibility"):
            if getattr(self, name) > 0:
                raise InvalidJob(
                    "this farm does not restore faces",
                    field=name,
                    value=getattr(self, name),
                    allowed="0",
                )
        if self.extras_upscaler_2_visibility > 0 and self.upscaler_2.lower() not in _NONE:
            raise InvalidJob(
                "a second upscaler is not supported",
                field="upscaler_2",
                value=self.upscaler_2,
                allowed="None",
            )
        if self.upscaler_1.lower() not in (*_NONE, *_FILTERS):
            raise InvalidJob(
                "this farm has no such upscaler",
                field="upscaler_1",
                value=self.upscaler_1,
                allowed=", ".join(RESIZERS),
            )

    def of_picture(self, data: bytes) -> bytes:
        """The PNG file of a picture in its new size, with its infotext; raises InvalidJob."""
        picture, text = Picture.load(data), read(data).parameters
        if self.upscaler_1.lower() in _NONE:
            return data if data.startswith(b"\x89PNG") else picture.png or b""
        with Image.open(io.BytesIO(picture.png or b"")) as image:
            resized = self._resized(image)
        chunks = PngInfo()
        if text:
            chunks.add_text("parameters", text)
        resized.save(buffer := io.BytesIO(), "PNG", compress_level=1, pnginfo=chunks)
        return buffer.getvalue()

    def _resized(self, image: Image.Image) -> Image.Image:
        wanted = (self.upscaling_resize_w, self.upscaling_resize_h)
        factor = self.upscaling_resize
        if self.resize_mode == 1:
            factor = max(wanted[0] / image.width, wanted[1] / image.height)
        width, height = (max(1, round(side * factor)) for side in image.size)
        if max(width, height) > MAX_SIDE_PX:
            raise InvalidJob(
                "the picture would become too large",
                field="upscaling_resize",
                value=f"{width}x{height}",
                allowed=f"up to {MAX_SIDE_PX}x{MAX_SIDE_PX} pixels",
            )
        resized = image.resize((width, height), _FILTERS[self.upscaler_1.lower()])
        if self.resize_mode == 0 or not self.upscaling_crop:
            return resized
        left, top = (width - wanted[0]) // 2, (height - wanted[1]) // 2
        return resized.crop((left, top, left + wanted[0], top + wanted[1]))


@router.post("/extra-single-image", openapi_extra=OBJECT)
async def extra_single_image(request: Request, caller: SubmitterOf) -> dict[str, Any]:
    """One picture, made larger."""
    body = await read_object(request)
    image = await gateway_of(request).client.in_thread(_single, body)
    return {"html_info": "", "image": image}


@router.post("/extra-batch-images", openapi_extra=OBJECT)
async def extra_batch_images(request: Request, caller: SubmitterOf) -> dict[str, Any]:
    """Several pictures, made larger, in their order."""
    body = await read_object(request)
    images = await gateway_of(request).client.in_thread(_batch, body)
    return {"html_info": "", "images": images}


def _single(body: dict[str, Any]) -> str:
    resizing = Resizing.of(body)
    return _base64(resizing.of_picture(given_picture("image", body.get("image"))))


def _batch(body: dict[str, Any]) -> list[str]:
    resizing, given = Resizing.of(body), body.get("imageList")
    if not isinstance(given, list) or not 1 <= len(given) <= _MOST_PICTURES:
        raise InvalidJob(
            "not a list of pictures", field="imageList", allowed=f"1 to {_MOST_PICTURES} pictures"
        )
    found = [one.get("data") if isinstance(one, dict) else one for one in given]
    images, room = [], MAX_ANSWER_BYTES
    for one in found:
        data = resizing.of_picture(given_picture("imageList", one))
        room -= len(data)
        if room < 0:
            allowed = f"up to {size_text(MAX_ANSWER_BYTES)}"
            raise BodyTooLarge("the pictures are too large for one answer", allowed=allowed)
        images.append(_base64(data))
    return images


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
