"""The contact sheet shows every picture and a caption that fits."""

from __future__ import annotations

import pytest
from PIL import Image

from winepress.contact_sheet import contact_sheet


def _red(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), (255, 0, 0))


def _red_pixels(sheet: Image.Image) -> int:
    return sum(count for count, colour in sheet.getcolors(1 << 16) or [] if colour == (255, 0, 0))


def test_every_picture_is_on_the_sheet() -> None:
    """Seven square pictures cover seven whole cells."""
    sheet = contact_sheet([(f"number {i}", _red(256, 256)) for i in range(7)])
    assert _red_pixels(sheet) == 7 * 192 * 192


def test_a_wide_picture_is_fitted_and_not_cropped() -> None:
    """A 2:1 picture covers half a cell, not a whole one."""
    assert _red_pixels(contact_sheet([("wide", _red(400, 200))])) == 192 * 96


def test_a_long_caption_is_cut_and_one_endless_word_does_not_hang() -> None:
    """Whatever the caption, the sheet has the same size."""
    short = contact_sheet([("a", _red(8, 8))])
    long = contact_sheet([("word " * 200, _red(8, 8))])
    endless = contact_sheet([("x" * 2000, _red(8, 8))])
    assert short.size == long.size == endless.size


def test_no_pictures_is_an_error() -> None:
    """An empty sheet is refused instead of written."""
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])
