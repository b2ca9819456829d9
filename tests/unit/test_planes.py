"""Folding a plane about its centre and back loses nothing."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from winepress_worker.zoom.planes import empty_frame, fold_rgb, fold_yuv, margin, unfold


@pytest.mark.parametrize("size", [(64, 48), (200, 8), (16, 16)])
def test_a_folded_picture_unfolds_to_itself(size: tuple[int, int]) -> None:
    """Each quarter begins at the centre, behind the margin."""
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    frame, planes = empty_frame(size, rgb=True)
    for plane, folded in zip(planes, fold_rgb(Image.fromarray(values)), strict=True):
        left, top = margin(size[0]), margin(size[1])
        unfold(folded.crop((left, top, left + size[0] // 2, top + size[1] // 2)), plane)
    np.testing.assert_array_equal(frame, values)


def test_an_odd_plane_shares_its_middle_lines() -> None:
    """Nothing of it stays unpainted."""
    plane = np.zeros((5, 7), np.uint8)
    unfold(Image.new("CMYK", (4, 3), (9, 9, 9, 9)), plane)
    assert plane.min() == 9


@pytest.mark.parametrize(
    ("colour", "wanted"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((255, 0, 0), (63, 102, 240)),
        ((0, 0, 255), (32, 240, 118)),
    ],
)
def test_colours_are_those_of_bt709_video(
    colour: tuple[int, int, int], wanted: tuple[int, int, int]
) -> None:
    """Values of ITU-R BT.709 in eight bits."""
    planes = fold_yuv(Image.new("RGB", (16, 16), colour))
    assert tuple(plane.getpixel((4, 4))[0] for plane in planes) == wanted  # type: ignore[index]


def test_a_frame_lies_in_memory_as_ffmpeg_keeps_it() -> None:
    """Y, then Cb, then Cr, each without gaps."""
    frame, planes = empty_frame((8, 4), rgb=False)
    for value, plane in enumerate(planes):
        plane[:] = value
    assert frame.shape == (6, 8)
    assert frame.ravel().tolist() == [0] * 32 + [1] * 8 + [2] * 8
