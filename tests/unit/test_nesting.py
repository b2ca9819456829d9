"""Key frames lie inside each other on the latent grid, evenly on both axes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.nesting import LATENT_PX, MAX_ZOOM, MIN_CENTRE_PX, MIN_ZOOM, Nesting

SIDES = st.integers(8, 128).map(lambda cells: cells * LATENT_PX)


@given(SIDES, SIDES, st.floats(MIN_ZOOM, MAX_ZOOM))
def test_every_zoom_gives_a_border_on_the_grid_below_half(w: int, h: int, zoom: float) -> None:
    """Whatever the size and the zoom, the border is usable."""
    nesting = Nesting.by_zoom((w, h), zoom)
    for side, border in zip((w, h), nesting.border, strict=True):
        assert border % LATENT_PX == 0
        assert LATENT_PX <= border <= (side - MIN_CENTRE_PX) // 2


@given(st.sampled_from([(256, 256), (512, 768), (768, 512), (512, 320), (1024, 576)]))
def test_a_zoom_of_two_is_exact_and_even_on_usual_sizes(size: tuple[int, int]) -> None:
    """The notebook's own factor needs no rounding on any usual size."""
    assert Nesting.by_zoom(size, 2.0).zoom == (2.0, 2.0)


def test_of_two_near_borders_the_one_that_zooms_evenly_is_taken() -> None:
    """A zoom of 1.5 at 512x320 falls between cells on both axes."""
    across, down = Nesting.by_zoom((512, 320), 1.5).zoom
    assert abs(across / down - 1) < 0.01


def test_a_border_moves_to_the_nearest_latent_cell() -> None:
    """Sixty pixels are drawn as sixty-four, three as eight."""
    assert Nesting.by_border((256, 256), (60, 3)).border == (64, 8)


@pytest.mark.parametrize("border", [(128, 64), (64, 128), (124, 124)])
def test_a_border_of_half_a_side_is_refused(border: tuple[int, int]) -> None:
    """It would leave nothing of the picture before."""
    with pytest.raises(InvalidJob, match="less than half"):
        Nesting.by_border((256, 256), border)


def test_a_ring_that_covers_the_centre_is_refused() -> None:
    """The model must see something to continue."""
    nesting = Nesting((256, 256), (64, 64))
    nesting.check_overlap(56)
    with pytest.raises(InvalidJob, match="covers the whole centre"):
        nesting.check_overlap(64)
