"""A1111's masks: white is drawn anew, and in a mask with transparency the opaque part is."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from winepress_shared.jobs.picture import Picture


def read_mask(data: bytes, *, inverted: bool) -> bytes:
    """A grey PNG whose white part is drawn anew; raises InvalidJob for what is no picture."""
    Picture.load_mask(data, "luminance")  # checks size and content before anything is decoded
    with Image.open(io.BytesIO(data)) as image:
        alpha = image.getchannel("A") if image.mode == "RGBA" else None
        varies = alpha is not None and alpha.getextrema() != (255, 255)
        mask = alpha if alpha is not None and varies else image.convert("L")
    if inverted:
        mask = ImageOps.invert(mask)
    mask.save(buffer := io.BytesIO(), "PNG", compress_level=1)
    return buffer.getvalue()
