"""Differences along a ring, spread over the picture around it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from winepress_worker.zoom.colour_field import ColourField

HEIGHT, WIDTH = 192, 256
LEFT, TOP, RING = 64, 48, 16
Pixels = npt.NDArray[np.float32]


def _ring(height: int = HEIGHT, width: int = WIDTH) -> npt.NDArray[np.bool_]:
    ring = np.zeros((height, width), np.bool_)
    ring[TOP : height - TOP, LEFT : width - LEFT] = True
    inset = slice(TOP + RING, height - TOP - RING), slice(LEFT + RING, width - LEFT - RING)
    ring[inset] = False
    return ring


def _differences(*sides: float) -> Pixels:
    """In the ring: so many levels at the top, and so many below."""
    top, bottom = sides
    levels = np.where(np.arange(HEIGHT) < HEIGHT // 2, top, bottom)[:, None] * _ring()
    return np.repeat(levels[:, :, None], 3, axis=2).astype(np.float32)


def test_in_the_ring_the_field_is_what_was_found_there() -> None:
    """So the soft edge that is laid there has next to nothing left to hide."""
    field = ColourField(_ring()).spread(_differences(20, 20))
    np.testing.assert_allclose(field[_ring()], 20, atol=1.5)


def test_sides_are_corrected_each_by_its_own_difference() -> None:
    """A sky drawn too light and a ground drawn too dark come right at once."""
    field = ColourField(_ring()).spread(_differences(-20, 12))
    middle = WIDTH // 2
    assert field[TOP - 4, middle, 0] == pytest.approx(-20, abs=2)
    assert field[HEIGHT - TOP + 4, middle, 0] == pytest.approx(12, abs=2)


def test_the_field_fades_outwards_and_has_no_edge_of_its_own() -> None:
    """From pixel to pixel it falls by no more than a fortieth of what is corrected."""
    field = ColourField(_ring()).spread(_differences(50, 50))
    outwards = field[TOP::-1, WIDTH // 2, 0]
    assert np.all(np.diff(outwards) <= 0.01)
    assert 0 < outwards[-1] < 35
    assert np.abs(np.diff(outwards)).max() < 50 / 40


def test_another_thing_in_the_ring_does_not_repaint_the_picture() -> None:
    """Black where white was is no matter of colours; the step is bounded."""
    field = ColourField(_ring()).spread(_differences(255, -255))
    assert np.abs(field).max() <= 64


def test_equal_differences_give_equal_bytes() -> None:
    """A key frame drawn again after a crash must be the same file."""
    differences = _differences(31, -7)
    fields = [ColourField(_ring()).spread(differences).tobytes() for _ in range(2)]
    assert fields[0] == fields[1]


def test_sides_need_not_be_whole_cells() -> None:
    """Pictures of any size the model takes are corrected up to their last pixel."""
    height, width = HEIGHT + 4, WIDTH + 2
    ring = _ring(height, width)
    field = ColourField(ring).spread(np.repeat(ring[:, :, None], 3, 2).astype(np.float32) * 9)
    assert field.shape == (height, width, 3)
    np.testing.assert_allclose(field[ring], 9, atol=0.5)
