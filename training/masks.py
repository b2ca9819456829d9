"""Masks for the inpainting model: 1 where it paints, mostly borders around a kept centre."""

import random
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from training.scenes import SIDE

Mask = npt.NDArray[np.float32]


def _border(rng: random.Random) -> Mask:
    """Keep a mostly centred square, as in outpainting."""
    side = int(SIDE * rng.uniform(0.42, 0.85))
    reach = (SIDE - side) / 2 * rng.choice([0.0, 0.0, 0.0, 0.8])
    x = int((SIDE - side) / 2 + rng.uniform(-1, 1) * reach)
    y = int((SIDE - side) / 2 + rng.uniform(-1, 1) * reach)
    mask = np.ones((SIDE, SIDE), np.float32)
    mask[y : y + side, x : x + side] = 0
    return mask


def _box(rng: random.Random) -> Mask:
    """Paint a box near the centre, where the objects are."""
    width, height = rng.randrange(80, 210), rng.randrange(80, 210)
    x = round((SIDE - width) / 2 + rng.uniform(-30, 30))
    y = round((SIDE - height) / 2 + rng.uniform(-30, 30))
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[max(0, y) : y + height, max(0, x) : x + width] = 1
    return mask


def _blob(rng: random.Random) -> Mask:
    """Paint a round patch of uneven outline, like one drawn by hand."""
    image = Image.new("L", (SIDE, SIDE), 0)
    draw = ImageDraw.Draw(image)
    x, y = SIDE / 2 + rng.uniform(-50, 50), SIDE / 2 + rng.uniform(-40, 50)
    for _ in range(rng.randrange(3, 7)):
        radius = rng.uniform(24, 70)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        x, y = x + rng.uniform(-45, 45), y + rng.uniform(-45, 45)
    smooth = image.filter(ImageFilter.GaussianBlur(6))
    return (np.asarray(smooth) > 127).astype(np.float32)


def _side(rng: random.Random) -> Mask:
    """Paint one side of the picture."""
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[:, : rng.randrange(70, 170)] = 1
    return np.ascontiguousarray(np.rot90(mask, rng.randrange(4)))


def _whole(rng: random.Random) -> Mask:
    """Paint everything, as the text-to-image model does."""
    return np.ones((SIDE, SIDE), np.float32)


_KINDS: Final[tuple[Callable[[random.Random], Mask], ...]] = (_border, _box, _blob, _side, _whole)
_SHARES: Final = (0.56, 0.15, 0.12, 0.11, 0.06)


def random_mask(rng: random.Random) -> Mask:
    """Draw a mask of some kind."""
    return rng.choices(_KINDS, _SHARES)[0](rng)


def kept_square(share: float) -> Mask:
    """The mask of a border around a centred square of that fraction of the side."""
    mask = np.ones((SIDE, SIDE), np.float32)
    edge = round(SIDE * (1 - share) / 2)
    mask[edge : SIDE - edge, edge : SIDE - edge] = 0
    return mask


def set_into(inner: Image.Image, outer: Image.Image, share: float) -> Image.Image:
    """Shrink a picture into the centre of another, with soft edges."""
    side = round(SIDE * share / 2) * 2
    pad = (SIDE - side) // 2
    small = np.asarray(inner.resize((side, side), Image.Resampling.LANCZOS), np.float32)
    spread = np.pad(small, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    hard = Image.fromarray(((1 - kept_square(share)) * 255).astype(np.uint8))
    grown = hard.filter(ImageFilter.MaxFilter(2 * (pad // 5) + 1))
    soft = np.asarray(grown.filter(ImageFilter.GaussianBlur(pad / 6)), np.float32)[..., None]
    keep = np.maximum(soft, np.asarray(hard, np.float32)[..., None]) / 255
    mixed = spread * keep + np.asarray(outer, np.float32) * (1 - keep)
    return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))
