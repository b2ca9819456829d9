"""``/v1/uploads``: input pictures and sounds, given once and named by reference in jobs."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from winepress.gateway.body import read_bytes
from winepress.gateway.callers import SubmitterOf
from winepress.gateway.gateway import gateway_of
from winepress.gateway.refusals import BodyTooLarge
from winepress_shared.archive import Archive
from winepress_shared.jobs.picture import MAX_FILE_BYTES, Picture
from winepress_shared.regular_file import size_text

_BODY = {
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
}

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])


class UploadView(BaseModel):
    """A stored input picture."""

    id: str = Field(description="for the fields image, mask and exit_image of a job")
    width: int
    height: int
    warnings: list[str] = Field(description="what was changed when the picture was read")


@router.post("", status_code=201, openapi_extra={"requestBody": {"required": True, **_BODY}})
async def upload(request: Request, caller: SubmitterOf) -> UploadView:
    """Store a PNG, JPEG or WebP picture, the body itself; it is turned upright, in sRGB."""
    gateway, data = gateway_of(request), await read_bytes(request)
    if len(data) > MAX_FILE_BYTES:
        raise BodyTooLarge("the picture is too large", allowed=f"up to {size_text(MAX_FILE_BYTES)}")
    picture = await gateway.client.in_thread(_keep, gateway.client.client.archive, data)
    width, height = picture.size or (0, 0)
    return UploadView(
        id=picture.reference, width=width, height=height, warnings=list(picture.warnings)
    )


def _keep(archive: Archive, data: bytes) -> Picture:
    picture = Picture.load(data)
    archive.write_input(picture)
    return picture
