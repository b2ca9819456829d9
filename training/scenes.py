"""Backgrounds: plain gradients and eleven simple scenes, painted at 256 pixels."""

import colorsys
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

SIDE: Final = 256  # pixels
Colour = tuple[float, float, float]
Stop = tuple[float, Colour]


def gradient(stops: Sequence[Stop], height: int = SIDE) -> Image.Image:
    """Paint a vertical gradient through the given stops (0 is the top, 1 the bottom)."""
    rows = np.linspace(0, 1, SIDE)
    places = [place for place, _ in stops]
    bands = [np.interp(rows, places, [colour[c] for _, colour in stops]) for c in range(3)]
    column = np.stack(bands, 1)
    picture = np.repeat(column[:, None], SIDE, 1).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(picture)
    return image if height == SIDE else image.resize((SIDE, height))


def plain(colour: Colour, rng: random.Random) -> Image.Image:
    """Paint a nearly flat background, a little lighter at the top."""
    depth = rng.uniform(0.02, 0.12)
    light = (colour[0] + (255 - colour[0]) * depth,
             colour[1] + (255 - colour[1]) * depth,
             colour[2] + (255 - colour[2]) * depth)  # fmt: skip
    dark = (colour[0] * (1 - depth), colour[1] * (1 - depth), colour[2] * (1 - depth))
    return gradient([(0, light), (1, dark)])


def pastel(rng: random.Random) -> Image.Image:
    """Paint the pale background of pictures without a named one."""
    red, green, blue = colorsys.hsv_to_rgb(
        rng.random(), rng.uniform(0.03, 0.22), rng.uniform(0.93, 1.0)
    )
    return plain((red * 255, green * 255, blue * 255), rng)


@dataclass(frozen=True)
class Brush:
    """The random generator and the height of the horizon, for every scene."""

    rng: random.Random
    horizon: int  # pixels from the top

    def vary(self, colour: Colour, spread: float = 10) -> Colour:
        """Shift a colour slightly, so that no two pictures are equal."""
        shift = [self.rng.uniform(-spread, spread) for _ in range(3)]
        return (int(colour[0] + shift[0]), int(colour[1] + shift[1]), int(colour[2] + shift[2]))

    def fill(self, colour: Colour, spread: float = 10) -> tuple[int, int, int]:
        """A varied colour as whole numbers, for drawing calls."""
        red, green, blue = self.vary(colour, spread)
        return (int(red), int(green), int(blue))

    def land(self, sky: Sequence[Stop], near: tuple[Colour, Colour]) -> Image.Image:
        """Paint a sky above the horizon and ground below it."""
        image = gradient(sky)
        ground = gradient([(0, self.vary(near[0])), (1, self.vary(near[1]))], SIDE - self.horizon)
        image.paste(ground, (0, self.horizon))
        return image

    def dots(self, draw: ImageDraw.ImageDraw, count: int, below: int, fill: Colour) -> None:
        """Draw random stars or snowflakes above a height."""
        for _ in range(count):
            x, y = self.rng.randrange(SIDE), self.rng.randrange(max(1, below))
            radius = self.rng.choice([1.0, 1.5, 2.0])
            box = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(box, fill=(int(fill[0]), int(fill[1]), int(fill[2])))


def _grass(brush: Brush) -> Image.Image:
    """A meadow under a blue sky."""
    sky = [(0, brush.vary((120, 190, 250))), (0.65, brush.vary((206, 234, 252)))]
    return brush.land(sky, ((126, 200, 84), (70, 150, 60)))


def _beach(brush: Brush) -> Image.Image:
    """Sand, a strip of sea and its foam."""
    sky = [(0, brush.vary((96, 186, 246))), (0.6, brush.vary((204, 238, 250)))]
    image = brush.land(sky, ((250, 224, 162), (232, 194, 124)))
    draw, level = ImageDraw.Draw(image), brush.horizon
    draw.rectangle((0, level - 34, SIDE, level + 4), fill=brush.fill((30, 150, 196)))
    draw.rectangle((0, level + 4, SIDE, level + 8), fill=(240, 250, 250))
    return image


def _space(brush: Brush) -> Image.Image:
    """Stars on a dark sky without ground."""
    image = gradient([(0, brush.vary((10, 10, 34), 6)), (1, brush.vary((36, 20, 70), 8))])
    brush.dots(ImageDraw.Draw(image), 26, SIDE, (250, 250, 230))
    return image


def _snow(brush: Brush) -> Image.Image:
    """A white plain with snow falling."""
    sky = [(0, brush.vary((160, 190, 222))), (0.65, brush.vary((222, 234, 246)))]
    image = brush.land(sky, ((250, 252, 255), (222, 232, 246)))
    brush.dots(ImageDraw.Draw(image), 22, brush.horizon, (255, 255, 255))
    return image


def _desert(brush: Brush) -> Image.Image:
    """Sand with one dune."""
    sky = [(0, brush.vary((250, 204, 120))), (0.65, brush.vary((254, 236, 190)))]
    image = brush.land(sky, ((232, 166, 84), (202, 126, 56)))
    dune = (-90, brush.horizon - 22, 150, brush.horizon + 80)
    ImageDraw.Draw(image).ellipse(dune, fill=brush.fill((226, 158, 78)))
    return image


def _sunset(brush: Brush) -> Image.Image:
    """Half a sun on the horizon of an evening sky."""
    sky = [
        (0.0, brush.vary((84, 50, 130))),
        (0.35, brush.vary((226, 92, 110))),
        (0.65, brush.vary((255, 190, 92))),
    ]
    image = brush.land(sky, ((74, 44, 84), (40, 26, 58)))
    middle, level = SIDE // 2, brush.horizon
    sun = (middle - 46, level - 46, middle + 46, level + 46)
    ImageDraw.Draw(image).pieslice(sun, 180, 360, fill=(255, 226, 130))
    return image


def _night(brush: Brush) -> Image.Image:
    """Dark land under stars and a moon."""
    sky = [(0, brush.vary((12, 20, 60), 6)), (0.65, brush.vary((44, 66, 130)))]
    image = brush.land(sky, ((22, 44, 52), (12, 24, 32)))
    draw = ImageDraw.Draw(image)
    brush.dots(draw, 16, brush.horizon - 10, (250, 246, 210))
    draw.ellipse((202, 14, 240, 52), fill=(248, 240, 196))
    return image


def _water(brush: Brush) -> Image.Image:
    """Blue depth with rising bubbles."""
    image = gradient([(0, brush.vary((84, 206, 230))), (1, brush.vary((10, 70, 140)))])
    draw, rng = ImageDraw.Draw(image), brush.rng
    for _ in range(12):
        x, y, radius = rng.randrange(SIDE), rng.randrange(SIDE), rng.uniform(3, 9)
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(box, outline=(210, 246, 255), width=2)
    return image


def _forest(brush: Brush) -> Image.Image:
    """A row of firs along the horizon."""
    sky = [(0, brush.vary((150, 206, 180))), (0.65, brush.vary((206, 232, 200)))]
    image = brush.land(sky, ((96, 140, 66), (60, 100, 46)))
    draw, level = ImageDraw.Draw(image), brush.horizon
    for place in range(-10, SIDE + 20, 34):
        x, top = place + brush.rng.uniform(-6, 6), brush.rng.uniform(26, 60)
        corners = [(x - 26, level + 4), (x + 26, level + 4), (x, top)]
        draw.polygon(corners, fill=brush.fill((36, 104, 62)))
    return image


def _city(brush: Brush) -> Image.Image:
    """Towers with lit windows along a street."""
    sky = [(0, brush.vary((150, 200, 240))), (0.65, brush.vary((226, 236, 246)))]
    image = brush.land(sky, ((112, 116, 124), (84, 88, 96)))
    draw, level, x = ImageDraw.Draw(image), brush.horizon, -brush.rng.randrange(20)
    while x < SIDE:
        width, top = brush.rng.randrange(28, 44), brush.rng.randrange(40, 110)
        draw.rectangle((x, top, x + width, level), fill=brush.fill((116, 132, 160), 14))
        for y in range(top + 8, level - 8, 16):
            for pane in range(x + 6, x + width - 6, 12):
                draw.rectangle((pane, y, pane + 5, y + 7), fill=(250, 236, 170))
        x += width + 3
    return image


def _mountains(brush: Brush) -> Image.Image:
    """Three peaks with snow on them."""
    sky = [(0, brush.vary((120, 180, 240))), (0.65, brush.vary((214, 232, 246)))]
    image = brush.land(sky, ((110, 176, 96), (76, 138, 70)))
    draw, level = ImageDraw.Draw(image), brush.horizon
    for place, height in ((40, 70), (206, 54), (124, 96)):
        x = place + brush.rng.uniform(-14, 14)
        top = height + brush.rng.uniform(-10, 10)
        half, rise = (level - top) * 0.8, level - top
        rock = [(x - half, level), (x + half, level), (x, top)]
        draw.polygon(rock, fill=brush.fill((112, 126, 150)))
        snow = [(x - half / 4, top + rise / 4), (x + half / 4, top + rise / 4), (x, top)]
        draw.polygon(snow, fill=(248, 250, 252))
    return image


_PAINTERS: Final[dict[str, Callable[[Brush], Image.Image]]] = {
    "on the grass": _grass,
    "on the beach": _beach,
    "in space": _space,
    "in the snow": _snow,
    "in the desert": _desert,
    "at sunset": _sunset,
    "at night": _night,
    "under water": _water,
    "in the forest": _forest,
    "in the city": _city,
    "in the mountains": _mountains,
}


def scene(name: str, brush: Brush) -> Image.Image:
    """Paint the scene of that name."""
    return _PAINTERS[name](brush)


def has_ground(name: str) -> bool:
    """Whether objects stand on ground in that scene."""
    return name not in ("in space", "under water")
