"""The method of the well-known notebook, written down plainly: what ours is measured against.

Crop, resize and paste, all by whole pixels, for square pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from PIL import Image


def notebook_frames(
    pictures: Sequence[Image.Image], border: int, steps: int
) -> Iterator[Image.Image]:
    """From key frame to key frame outwards in ``steps`` frames each, and the last one."""
    width = pictures[0].width
    inner = width - 2 * border
    yield pictures[0]
    for previous, current in pairwise(pictures):
        for step in range(1, steps):
            crop = round((1 - (inner / width) ** (1 - step / steps)) * width / 2)
            box = (crop, crop, width - crop, width - crop)
            frame = current.crop(box).resize((width, width))
            edge = round((1 - inner / (width - 2 * crop)) * width / 2)
            side = width - 2 * edge
            frame.paste(previous.resize((side, side)), (edge, edge))
            yield frame
        yield current
