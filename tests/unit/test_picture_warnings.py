"""Threads that read pictures at once, as a web backend does."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from winepress_shared.jobs.picture import Picture
from winepress_shared.metadata import read

_THREADS, _PICTURES = 8, 240


def _jpeg(exif: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


@pytest.fixture
def hasty_interpreter() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_interpreter")
def test_each_picture_has_its_own_warnings_and_the_process_keeps_its_filters() -> None:
    """A damaged picture's warning is not its neighbour's, and nothing is left behind."""
    whole = _jpeg(b"")
    damaged = _jpeg(b"Exif\0\0II*\0\x08\0\0\0\xff\0")
    given = [damaged if number % 3 == 0 else whole for number in range(_PICTURES)]
    filters, show = list(warnings.filters), warnings.showwarning

    def said(data: bytes) -> tuple[str, ...]:
        read(data)
        return Picture.load(data).warnings

    with ThreadPoolExecutor(_THREADS) as pool:
        heard = list(pool.map(said, given))
    assert {bool(words) for data, words in zip(given, heard, strict=True) if data == whole} == {
        False
    }
    assert len({words for data, words in zip(given, heard, strict=True) if data == damaged}) == 1
    assert all(words for data, words in zip(given, heard, strict=True) if data == damaged)
    assert list(warnings.filters) == filters
    assert warnings.showwarning is show
