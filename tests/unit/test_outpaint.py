"""Growing pictures outwards without a seam, a jump of colour or a drift."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from winepress_shared.jobs.nesting import Nesting
from winepress_worker.zoom.outpaint import Outpainting

SIZE = (128, 96)
NESTING = Nesting(SIZE, (32, 24))
OUTPAINTING = Outpainting(NESTING, overlap=8, feather=8)


def _plain(colour: tuple[int, int, int], size: tuple[int, int] = SIZE) -> Image.Image:
    return Image.new("RGB", size, colour)


def _noise(seed: int, low: int = 60, high: int = 196) -> Image.Image:
    values = np.random.default_rng(seed).integers(low, high, (12, 16, 3), np.uint8)
    return Image.fromarray(values).resize(SIZE, Image.Resampling.BICUBIC)


def _array(picture: Image.Image) -> npt.NDArray[np.float64]:
    return np.asarray(picture, np.float64)


def test_the_canvas_shows_the_picture_before_and_no_black() -> None:
    """Black around the picture bleeds into what is drawn there, through the model's encoder."""
    canvas = OUTPAINTING.canvas(_plain((10, 200, 90)))
    assert canvas.size == SIZE
    assert canvas.getcolors() == [(SIZE[0] * SIZE[1], (10, 200, 90))]


def test_the_mask_opens_border_and_overlap_on_the_latent_grid() -> None:
    """White is drawn anew; every edge of it falls between two latent cells."""
    mask = np.asarray(OUTPAINTING.mask())
    assert set(np.unique(mask)) == {0, 255}
    rows, columns = np.nonzero(mask == 0)
    assert (columns.min(), columns.max() + 1) == (40, 88)
    assert (rows.min(), rows.max() + 1) == (32, 64)


def test_the_old_centre_comes_back_untouched_inside_the_overlap() -> None:
    """Nothing of it has been through the model, so nothing degrades from key frame to key frame."""
    previous = _noise(1)
    whole = _array(OUTPAINTING.compose(_noise(2), previous))
    shrunk = _array(previous.resize(NESTING.centre_size, Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(whole[32:64, 40:88], shrunk[8:-8, 8:-8])


def test_what_was_drawn_with_a_tint_meets_the_old_colours() -> None:
    """Where the old picture ends the tint is gone; far from it there is nothing to compare with."""
    scene = _noise(3)
    tinted = Image.fromarray(
        np.clip(_array(OUTPAINTING.canvas(scene)) + 15, 0, 255).astype(np.uint8)
    )
    loose = Outpainting(NESTING, overlap=8, feather=8, matching=False)
    wanted = _array(OUTPAINTING.canvas(scene))
    matched, unmatched = (
        np.abs(_array(outpainting.compose(tinted, scene)) - wanted)
        for outpainting in (OUTPAINTING, loose)
    )
    just_outside = slice(20, 24), slice(32, 96)
    assert matched[just_outside].mean() < 2
    assert unmatched[just_outside].mean() > 14
    assert matched.mean() < 0.7 * unmatched.mean()


def test_a_lighter_sky_and_a_darker_ground_both_meet_the_old_ones() -> None:
    """No common shift of colour could do that, and none is wanted: it would add up."""
    scene = _plain((120, 120, 120))
    rows = np.where(np.arange(SIZE[1]) < SIZE[1] // 2, 140, 100)[:, None, None]
    drawn = Image.fromarray(np.broadcast_to(rows, (SIZE[1], SIZE[0], 3)).astype(np.uint8))
    whole = _array(OUTPAINTING.compose(drawn, scene))
    np.testing.assert_allclose(whole[[22, 73], 64], 120, atol=2)
    np.testing.assert_allclose(whole.mean(), 120, atol=0.5)


def test_matching_never_repaints_the_picture() -> None:
    """When the ring shows something else altogether, colours move by a bounded step."""
    drawn = _plain((250, 0, 120))
    outer = _array(OUTPAINTING.compose(drawn, _plain((0, 250, 120))))[0, 0]
    assert np.abs(outer - (250, 0, 120)).max() <= 24


def test_the_seam_is_no_steeper_than_what_lies_beside_it() -> None:
    """A smooth scene continued with an error of a few levels shows no edge at the old rim."""
    ramp = np.linspace(40, 200, SIZE[0])[None, :, None] * np.ones((SIZE[1], 1, 3))
    previous = Image.fromarray(ramp.astype(np.uint8))
    drawn = Image.fromarray(
        np.clip(_array(OUTPAINTING.canvas(previous)) + 6, 0, 255).astype(np.uint8)
    )
    whole = _array(Outpainting(NESTING, 8, 8, matching=False).compose(drawn, previous))
    down_the_rim = np.abs(np.diff(whole[:, 64, 0]))
    assert down_the_rim.max() <= 3


def test_a_corrected_key_frame_meets_the_next_one_at_its_rim() -> None:
    """At the outermost pixel it shows what the next key frame shows there; inside, itself."""
    previous, following = _noise(5), OUTPAINTING.compose(_noise(6), _noise(5))
    corrected = _array(OUTPAINTING.corrected(previous, following))
    seen = following.resize(SIZE, Image.Resampling.BICUBIC, box=NESTING.centre)
    np.testing.assert_allclose(corrected[0], _array(seen)[0], atol=2)
    np.testing.assert_array_equal(corrected[20:-20, 20:-20], _array(previous)[20:-20, 20:-20])


def test_without_overlap_the_centre_is_pasted_and_nothing_is_corrected() -> None:
    """For models that cannot draw into a picture."""
    plain = Outpainting(NESTING, 0, 0)
    whole = _array(plain.compose(_plain((9, 9, 9)), _plain((200, 200, 200))))
    assert whole[24:72, 32:96].min() == 200
    assert whole[:24].max() == 9
    assert plain.corrected(_noise(1), _noise(2)) == _noise(1)
    assert plain.exit_mask() is None


def test_an_exit_picture_stays_itself_outside_the_band() -> None:
    """Only a band on both sides of the seam is drawn; the old centre lies inside it."""
    wide, previous, drawn = _plain((0, 0, 250)), _plain((250, 0, 0)), _plain((0, 250, 0))
    mask = OUTPAINTING.exit_mask()
    assert mask is not None
    whole = _array(OUTPAINTING.exit_compose(drawn, previous, wide))
    protected = np.asarray(mask) == 0
    assert set(map(tuple, whole[protected])) == {(0, 0, 250), (250, 0, 0)}
    assert tuple(whole[48, 64]) == (250, 0, 0)
    assert tuple(whole[0, 0]) == (0, 0, 250)
    assert protected.mean() == pytest.approx(1 - (80 * 64 - 48 * 32) / (128 * 96))


def test_the_exit_canvas_holds_both_pictures() -> None:
    """What the model sees: the exit picture around the shrunk one before."""
    canvas = OUTPAINTING.exit_canvas(_plain((250, 0, 0)), _plain((0, 0, 250), (256, 192)))
    assert sorted(canvas.getcolors() or []) == [
        (64 * 48, (250, 0, 0)),
        (128 * 96 - 64 * 48, (0, 0, 250)),
    ]
