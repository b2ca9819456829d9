"""Seams and colours of real zooms: outpainting as shipped, without matching, and pasted hard.

Prints, for several scenes and for several sizes of the border, how much steeper key frames are at
the seam than beside it, and how far their colours drift over eight of them. Writes the key frames
as a strip of pictures, one row per film, to ``.cache/seams.png`` or the file given.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from support.seam_measures import WANTED_RATIO, Easel, drift, film_ratio, scenery, seam_ratio

from winepress_shared.jobs.zoom import ZoomVideo
from winepress_worker.zoom.outpaint import Outpainting

_HOME = Path(__file__).parents[2] / ".cache" / "winepress-tests"
_SCENES = {
    "forest": ("a fox in the forest", "the forest"),
    "grass": ("a cat on the grass", "the grass"),
    "mountains": ("a castle in the mountains", "the mountains"),
    "desert": ("a cactus in the desert", "the desert"),
    "snow": ("a penguin in the snow", "the snow"),
    "water": ("a frog under water", "under water"),
    "space": ("a rocket in space", "space"),
    "sunset": ("a sailboat at sunset", "at sunset"),
    "beach": ("a red apple on the beach", "the beach"),
    "night": ("a house at night", "at night"),
    "city": ("a car in the city", "the city"),
    "purple": ("a red heart on a purple background", "a purple background"),
}
_SHAPES: dict[str, dict[str, Any]] = {
    "border 16": {"border": (16, 16)},
    "border 32": {"border": (32, 32)},
    "border 96": {"border": (96, 96)},
    "384x256": {"width": 384},
    "256x384": {"height": 384, "zoom": 1.5},
}
_SHAPED_SCENES = ("forest", "water", "mountains")
_STRIP_PX = 128  #: height of a row of the strip
_TIMED = 20  #: key frames composed for the clock

#: What is compared: each gives the way to join the key frames of a film.
_WAYS: dict[str, Callable[[ZoomVideo], Outpainting]] = {
    "as shipped": Outpainting.of,
    "unmatched": lambda film: Outpainting(film.nesting, film.overlap, film.overlap, False),
    "pasted": lambda film: Outpainting(film.nesting, 0, 0, False),
}


def measure(name: str, film: ZoomVideo, easel: Easel, ways: Sequence[str]) -> list[Image.Image]:
    """Print one line per way; returns the key frames of the first."""
    shown: list[Image.Image] = []
    for way in ways:
        outpainting = _WAYS[way](film)
        frames = easel.key_frames(film, outpainting)
        nesting, overlap = outpainting.nesting, outpainting.overlap
        worst = max(seam_ratio(frame, nesting, overlap) for frame in frames[1:])
        print(
            f"{name:22} {way:10} seam {film_ratio(frames, nesting, overlap):.2f} "
            f"(worst key frame {worst:.2f}), drift {drift(frames, nesting):.1f} levels",
            flush=True,
        )
        shown = shown or frames
    return shown


def strip(films: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """One row per film."""
    rows = [
        [frame.resize((round(_STRIP_PX * frame.width / frame.height), _STRIP_PX)) for frame in film]
        for film in films
    ]
    width = max(sum(frame.width for frame in row) for row in rows)
    sheet = Image.new("RGB", (width, _STRIP_PX * len(rows)), "white")
    for index, row in enumerate(rows):
        left = 0
        for frame in row:
            sheet.paste(frame, (left, _STRIP_PX * index))
            left += frame.width
    return sheet


def cost_ms(side: int, *, matching: bool) -> float:
    """Milliseconds to compose one key frame of that side."""
    film = scenery("x", "x", width=side, height=side, colour_matching=matching)
    outpainting = Outpainting.of(film)
    drawn, previous = (Image.effect_noise((side, side), spread).convert("RGB") for spread in (9, 7))
    seconds = []
    for _ in range(_TIMED):
        began = time.perf_counter()
        outpainting.compose(drawn, previous)
        seconds.append(time.perf_counter() - began)
    return 1000 * statistics.median(seconds)


def main() -> None:
    """Print the figures, write the strip."""
    easel = Easel(_HOME)
    films = [
        measure(name, scenery(*prompts), easel, tuple(_WAYS)) for name, prompts in _SCENES.items()
    ]
    for (shape, fields), scene in (
        (shape, scene) for shape in _SHAPES.items() for scene in _SHAPED_SCENES
    ):
        film = scenery(*_SCENES[scene], **fields)
        films.append(measure(f"{scene}, {shape}", film, easel, ("as shipped",)))
    target = Path(sys.argv[1]) if sys.argv[1:] else _HOME.with_name("seams.png")
    strip(films).save(target)
    print(f"wanted: {WANTED_RATIO}; the strip of pictures is {target}")
    bare, matched = (cost_ms(512, matching=matching) for matching in (False, True))
    print(f"composing a key frame of 512 px: {bare:.1f} ms, with matching {matched:.1f} ms")


if __name__ == "__main__":
    main()
