"""How like two pictures are, in the two measures people know."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from winepress_worker.models.likeness import psnr_db, ssim


def grey(level: int) -> Image.Image:
    return Image.new("RGB", (32, 32), (level, level, level))


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8))


def test_equal_pictures_are_as_like_as_can_be() -> None:
    """Infinity is spared to those who store the figure."""
    assert psnr_db(noise(1), noise(1)) == 100
    assert ssim(noise(1), noise(1)) == pytest.approx(1)


@pytest.mark.parametrize("step", [1, 10, 100])
def test_peak_signal_to_noise_is_that_of_its_definition(step: int) -> None:
    """A difference of n levels everywhere is 20 log10(255 / n) decibels."""
    assert psnr_db(grey(100), grey(100 + step)) == pytest.approx(20 * math.log10(255 / step))


def test_similarity_of_plain_pictures_is_that_of_their_brightness() -> None:
    """Without structure only the first factor of the published formula is left."""
    brightness = (0.01 * 255) ** 2
    wanted = (2 * 100 * 120 + brightness) / (100**2 + 120**2 + brightness)
    assert ssim(grey(100), grey(120)) == pytest.approx(wanted)


def test_similarity_tells_structure_from_brightness() -> None:
    """A brighter copy stays similar, other noise and a negative do not."""
    picture = noise(1)
    brighter = picture.point(lambda level: min(level + 12, 255))
    negative = picture.point(lambda level: 255 - level)
    assert ssim(picture, brighter) > 0.95
    assert abs(ssim(picture, noise(2))) < 0.2
    assert ssim(picture, negative) < -0.5
