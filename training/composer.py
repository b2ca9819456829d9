"""Composes pictures with captions: sprites on painted backgrounds."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from training.concepts import (
    ACTIVE,
    COLOURS,
    CONCEPTS,
    SCENES,
    STYLES,
    colour_phrase,
    plural,
    with_article,
)
from training.scenes import SIDE, Brush, has_ground, pastel, plain, scene

Sprites = npt.NDArray[np.uint8]

SMALL: Final = ("small ", "tiny ", "little ")
BIG: Final = ("big ", "large ", "huge ")
JOINTS: Final = (" and ", " and ", " next to ", " beside ")
_LEADS: Final = ("on ", "in ", "at ", "under ")


@dataclass(frozen=True)
class Mix:
    """The frequency of each kind of picture, and whether views are wide."""

    all_concepts: bool = False
    pair_share: float = 0.2
    plural_share: float = 0.08
    empty_share: float = 0.03
    wide: bool = False  # smaller objects and a freer horizon, for outpainting


@dataclass(frozen=True)
class Ground:
    """A painted background, the words for it, and whether things stand on it."""

    image: Image.Image
    words: str
    solid: bool


@dataclass(frozen=True)
class Spot:
    """The place of an object, as fractions of the picture's side."""

    size: float
    x: float
    y: float


def prepare_sprites(assets: Path, target: Path) -> None:
    """Crop every concept's picture to its object, centre it and save all as one array."""
    sheets = []
    for concept in CONCEPTS:
        picture = Image.open(assets / f"{concept.code}.webp").convert("RGBA")
        solid = picture.getchannel("A").point(lambda value: 255 if value > 8 else 0)
        picture = picture.crop(solid.getbbox())
        scale = SIDE / max(picture.size)
        width, height = (max(1, round(edge * scale)) for edge in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        canvas = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
        canvas.paste(picture, ((SIDE - width) // 2, (SIDE - height) // 2))
        sheets.append(np.asarray(canvas))
    np.save(target, np.stack(sheets))


class Composer:
    """Draws (caption, picture) pairs by the models' caption grammar."""

    def __init__(self, sprites: Path, mix: Mix) -> None:
        """Load the sprites and select the concepts."""
        array: Sprites = np.load(sprites)
        self._sprites = [Image.fromarray(sprite) for sprite in array]
        self._mix = mix
        self._active = [
            index
            for index, concept in enumerate(CONCEPTS)
            if mix.all_concepts or concept.names[0] in ACTIVE
        ]
        shadow = Image.new("L", (256, 64), 0)
        ImageDraw.Draw(shadow).ellipse((24, 16, 232, 48), fill=110)
        self._shadow = shadow.filter(ImageFilter.GaussianBlur(8))

    def draw(self, rng: random.Random) -> tuple[str, Image.Image]:
        """Draw one picture; returns caption and picture."""
        ground = self.background(rng)
        if ground.words and rng.random() < self._mix.empty_share:
            return bare(ground.words), ground.image
        style = rng.choice(STYLES) if rng.random() < 0.6 else ""
        return style + self.subject(ground, rng) + tail(ground.words), ground.image

    def subject(self, ground: Ground, rng: random.Random) -> str:
        """Put one object, a pair or several of a kind on a background; returns their words."""
        kind = rng.random()
        if kind < self._mix.pair_share:
            return self._pair(ground, rng)
        if kind < self._mix.pair_share + self._mix.plural_share:
            return self._several(ground, rng)
        return self._single(ground, rng)

    def background(self, rng: random.Random) -> Ground:
        """Paint a colour, a scene or an unnamed pastel."""
        draw = rng.random()
        if draw < 0.40:
            colour = rng.choice(list(COLOURS))
            return Ground(plain(COLOURS[colour], rng), colour_phrase(colour, rng), False)
        if draw < 0.72 or self._mix.wide:
            name = rng.choice(list(SCENES))
            lowest = 0.50 if self._mix.wide else 0.60
            horizon = int(SIDE * rng.uniform(lowest, 0.66))
            words = SCENES[name] if rng.random() < 0.3 else name
            return Ground(scene(name, Brush(rng, horizon)), words, has_ground(name))
        return Ground(pastel(rng), "", False)

    def put(self, ground: Ground, concept: int, spot: Spot) -> None:
        """Paste one sprite, with a shadow if there is ground."""
        side = max(8, round(spot.size * SIDE))
        sprite = self._sprites[concept].resize(
            (side, side), Image.Resampling.BICUBIC, reducing_gap=2.0
        )
        x, y = round(spot.x * SIDE - side / 2), round(spot.y * SIDE - side / 2)
        if ground.solid:
            height = max(4, side // 4)
            foot = (sprite.getbbox() or (0, 0, side, side))[3]
            shade = self._shadow.resize((side, height))
            ground.image.paste((0, 0, 0), (x, y + foot - height * 5 // 8), shade)
        ground.image.paste(sprite, (x, y), sprite)

    def _pick(self, rng: random.Random) -> tuple[int, str]:
        """Choose a concept and one of its names, mostly the main one."""
        index = rng.choice(self._active)
        names = CONCEPTS[index].names
        return index, rng.choice((names[0], names[0], *names))

    def _scale(self, size: float) -> float:
        """Shrink objects in wide views."""
        return size * 0.58 if self._mix.wide else size

    def _single(self, ground: Ground, rng: random.Random) -> str:
        """Put one object in the middle; its words include an unusual size."""
        index, name = self._pick(rng)
        drop = 0.07 if ground.solid else 0.0
        draw, x = rng.random(), 0.5 + rng.uniform(-0.03, 0.03)
        jitter = rng.uniform(-0.02, 0.02)
        if draw < 0.80 or self._mix.wide:
            size = self._scale(rng.uniform(0.62, 0.76))
            self.put(ground, index, Spot(size, x, 0.5 + drop + jitter))
            return with_article(name, rng)
        words, low, high = (SMALL, 0.32, 0.40) if draw < 0.90 else (BIG, 0.88, 0.98)
        lower = 0.16 if ground.solid and draw < 0.90 else 0.0
        self.put(ground, index, Spot(rng.uniform(low, high), x, 0.5 + lower + jitter))
        return rng.choice(["a ", "a ", ""]) + rng.choice(words) + name

    def _pair(self, ground: Ground, rng: random.Random) -> str:
        """Put two different objects side by side."""
        left, right = self._pick(rng), self._pick(rng)
        while right[0] == left[0]:
            right = self._pick(rng)
        self._row(ground, [left[0], right[0]], rng)
        return with_article(left[1], rng) + rng.choice(JOINTS) + with_article(right[1], rng)

    def _several(self, ground: Ground, rng: random.Random) -> str:
        """Put two or three of a kind side by side."""
        index, name = self._pick(rng)
        count = 2 if rng.random() < 0.6 else 3
        self._row(ground, [index] * count, rng)
        return ("two " if count == 2 else "three ") + plural(name)

    def _row(self, ground: Ground, concepts: list[int], rng: random.Random) -> None:
        """Place objects in a row, smaller if there are more."""
        places = (0.27, 0.73) if len(concepts) == 2 else (0.18, 0.5, 0.82)
        low, high = (0.42, 0.48) if len(concepts) == 2 else (0.30, 0.34)
        drop = 0.10 if ground.solid else 0.0
        for concept, place in zip(concepts, places, strict=True):
            x = place + rng.uniform(-0.015, 0.015)
            y = 0.5 + drop + rng.uniform(-0.02, 0.02)
            if self._mix.wide:
                x = 0.5 + (x - 0.5) * 0.58
            self.put(ground, concept, Spot(self._scale(rng.uniform(low, high)), x, y))


def tail(words: str) -> str:
    """Join background words to a subject."""
    if not words:
        return ""
    return (" " if words.startswith(_LEADS) else ", ") + words


def bare(words: str) -> str:
    """Strip the preposition, for a picture of a background alone."""
    for lead in _LEADS[:3]:
        words = words.removeprefix(lead)
    return words
