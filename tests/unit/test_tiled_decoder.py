"""Large pictures are decoded in tiles whose seams do not show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from winepress_worker.engines.tiled_decoder import TiledDecoder

SCALE = 8


class Outputs:
    """As a compiled model answers."""

    def __init__(self, pixels: Any) -> None:
        self._pixels = pixels

    def to_dict(self) -> dict[str, Any]:
        return {"sample": self._pixels}


class Enlarger:
    """A decoder that only enlarges, so that every tile knows its own pixels exactly."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, inputs: dict[str, Any], share_inputs: bool = False) -> Outputs:
        latents = inputs["latent_sample"]
        self.shapes.append(latents.shape)
        return Outputs(latents[:, :3].repeat(SCALE, 2).repeat(SCALE, 3).astype(np.float32))


def latents(height: int, width: int) -> Any:
    """Of two pictures."""
    return np.random.default_rng(0).standard_normal((2, 4, height, width)).astype(np.float32)


@pytest.mark.parametrize(
    ("height", "width"),
    [(256, 256), (129, 128), (128, 129), (136, 250), (96, 256), (224, 64), (225, 130)],
)
def test_tiles_put_every_pixel_in_its_place(height: int, width: int) -> None:
    """Whatever the sides are; and no tile is larger than a picture of 1024 pixels."""
    given = latents(height, width)
    decoder = Enlarger()
    drawn = TiledDecoder(decoder)({"latent_sample": given}).to_dict()["sample"]
    whole = Enlarger()({"latent_sample": given}).to_dict()["sample"]
    assert drawn.shape == whole.shape
    np.testing.assert_allclose(drawn, whole, atol=1e-5)
    assert len(decoder.shapes) > 1
    assert all(max(shape[2:]) <= 128 for shape in decoder.shapes)


@pytest.mark.parametrize("side", [8, 64, 128])
def test_pictures_of_up_to_1024_pixels_are_decoded_whole(side: int) -> None:
    """Their bytes stay what they were."""
    decoder = Enlarger()
    TiledDecoder(decoder)({"latent_sample": latents(side, side)})
    assert decoder.shapes == [(2, 4, side, side)]


def test_a_step_between_two_tiles_becomes_a_slope() -> None:
    """Where tiles differ as a whole, the picture passes from one to the other without an edge."""
    levels = iter((0.0, 1.0))

    def decode(inputs: dict[str, Any]) -> Outputs:
        height, width = inputs["latent_sample"].shape[2:]
        return Outputs(np.full((1, 3, SCALE * height, SCALE * width), next(levels), np.float32))

    drawn = TiledDecoder(decode)({"latent_sample": latents(128, 224)[:1]}).to_dict()["sample"]
    steps = np.diff(drawn[0, 0, 0])
    assert steps.min() >= 0
    assert steps.max() <= 1 / (32 * SCALE) + 1e-6
