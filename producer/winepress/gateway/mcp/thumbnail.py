"""Pictures small enough for the context of a language model."""

from __future__ import annotations

import io

from PIL import Image

from winepress_shared.errors import StoreUnreachable
from winepress_shared.jobs.job import MAX_SIDE_PX as JOB_SIDE_PX

MAX_SIDE_PX = 512
_QUALITY = 80
_LEAST_SIDE_PX = 16  #: a JPEG of this side has less than 2 KB, whatever it shows


def thumbnail(data: bytes, most_bytes: int) -> bytes:
    """A JPEG of a stored picture, of at most ``most_bytes`` bytes and `MAX_SIDE_PX` pixels a side.

    ``most_bytes`` must be at least 2,000. Raises StoreUnreachable for a picture that is damaged or
    larger than a job's may be.
    """
    picture = _opened(data)
    side = MAX_SIDE_PX
    while True:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=_QUALITY)
        if file.tell() <= most_bytes or side <= _LEAST_SIDE_PX:
            return file.getvalue()
        side = side * 3 // 4


def _opened(data: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as picture:
            if max(picture.size) > JOB_SIDE_PX:
                raise StoreUnreachable("a picture in the store is too large", value=picture.size)
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises these for damaged files
        raise StoreUnreachable(f"a picture in the store is damaged: {error}") from None
