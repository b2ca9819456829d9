"""Pictures small enough for the context of a language model."""

from __future__ import annotations

import io

from PIL import Image

MAX_SIDE_PX = 512
_QUALITY = 80
_LEAST_SIDE_PX = 16  #: a JPEG of this side has less than 2 KB, whatever it shows


def thumbnail(data: bytes, most_bytes: int) -> bytes:
    """A JPEG of a stored picture, of at most ``most_bytes`` bytes and `MAX_SIDE_PX` pixels a side.

    ``most_bytes`` must be at least 2,000. Raises OSError for a picture that is damaged.
    """
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as opened:
        picture = opened.convert("RGB")
    side = MAX_SIDE_PX
    while True:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=_QUALITY)
        if file.tell() <= most_bytes or side <= _LEAST_SIDE_PX:
            return file.getvalue()
        side = side * 3 // 4
