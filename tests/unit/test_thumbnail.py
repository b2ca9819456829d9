"""Pictures in the answers of tools: small, whatever was drawn."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image

from winepress.gateway.mcp.thumbnail import thumbnail
from winepress_shared.errors import StoreUnreachable


def _png(picture: Image.Image) -> bytes:
    picture.save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("most", [2_000, 15_000, 60_000])
def test_no_thumbnail_is_larger_than_it_may_be(most: int) -> None:
    """Noise is the worst that a JPEG can hold."""
    noise = Image.frombytes("RGB", (1024, 768), random.Random(7).randbytes(1024 * 768 * 3))
    small = thumbnail(_png(noise), most)
    assert len(small) <= most
    opened = Image.open(io.BytesIO(small))
    assert (opened.format, opened.width > opened.height) == ("JPEG", True)


def test_a_thumbnail_keeps_the_aspect_and_never_grows() -> None:
    """The longer side has at most 512 pixels."""
    wide = Image.open(io.BytesIO(thumbnail(_png(Image.new("RGB", (2048, 512))), 60_000)))
    assert wide.size == (512, 128)
    tiny = Image.open(io.BytesIO(thumbnail(_png(Image.new("RGBA", (64, 64))), 60_000)))
    assert tiny.size == (64, 64)


def test_what_is_no_picture_of_a_job_is_an_error_of_the_store() -> None:
    """Nothing is decoded that is larger than a job's picture."""
    cut, wide = _png(Image.new("RGB", (64, 64)))[:50], _png(Image.new("RGB", (8192, 64)))
    for data in (b"", b"GIF89a" + bytes(100), cut, wide):
        with pytest.raises(StoreUnreachable):
            thumbnail(data, 60_000)
