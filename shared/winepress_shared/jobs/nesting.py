"""The geometry of a zoom's nested key frames.

Key frame *i* shows key frame *i − 1* shrunk in its centre, with a border of ``m`` pixels around it,
so each key frame magnifies by z = W / (W − 2m) on each axis.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Self

from winepress_shared.errors import InvalidJob

LATENT_PX = 8  #: side of one latent cell of every Stable Diffusion VAE, in pixels
MIN_ZOOM = 1.05
MAX_ZOOM = 8.0
MIN_CENTRE_PX = 16  #: the shrunk key frame keeps at least this side, in pixels


@dataclass(frozen=True)
class Nesting:
    """Size of the key frames, and the border that each adds to the previous one."""

    size: tuple[int, int]  #: width and height, in pixels
    border: tuple[int, int]  #: left and right, top and bottom; multiples of `LATENT_PX`

    def __post_init__(self) -> None:
        for side, border, axis in zip(self.size, self.border, ("width", "height"), strict=True):
            if border < LATENT_PX or border % LATENT_PX:
                raise InvalidJob(
                    "not a multiple of the latent cell",
                    field="border",
                    value=border,
                    allowed=f"multiples of {LATENT_PX}",
                )
            if 2 * border > side - MIN_CENTRE_PX:
                raise InvalidJob(
                    f"must be less than half the {axis}, leaving {MIN_CENTRE_PX} px in the centre",
                    field="border",
                    value=border,
                    allowed=f"up to {_most(side)} for {side} px",
                )

    @classmethod
    def by_zoom(cls, size: tuple[int, int], zoom: float) -> Self:
        """The borders nearest to ``zoom`` (`MIN_ZOOM` to `MAX_ZOOM`); raises InvalidJob.

        Chooses the borders on the latent grid with the most equal zoom on both axes.
        """
        choices = [_near((1 - 1 / zoom) * side / 2, side) for side in size]
        candidates = [cls(size, (x, y)) for x, y in itertools.product(*choices)]
        return min(candidates, key=lambda nesting: nesting._misfit(zoom))

    @classmethod
    def by_border(cls, size: tuple[int, int], border: tuple[int, int]) -> Self:
        """Borders in pixels per axis, rounded to the nearest latent cell; raises InvalidJob."""
        x, y = (max(round(pixels / LATENT_PX), 1) * LATENT_PX for pixels in border)
        return cls(size, (x, y))

    def _misfit(self, zoom: float) -> tuple[float, float]:
        across, down = (math.log(factor) for factor in self.zoom)
        return round(abs(across - down), 9), abs((across + down) / 2 - math.log(zoom))

    @property
    def zoom(self) -> tuple[float, float]:
        """Magnification of one key frame over the next, per axis."""
        (width, height), (x, y) = self.size, self.border
        return width / (width - 2 * x), height / (height - 2 * y)

    @property
    def centre(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the previous key frame's place, in pixels."""
        (width, height), (x, y) = self.size, self.border
        return x, y, width - x, height - y

    @property
    def centre_size(self) -> tuple[int, int]:
        """Size of the shrunk key frame, in pixels."""
        left, top, right, bottom = self.centre
        return right - left, bottom - top

    def check_overlap(self, overlap: int) -> None:
        """Raise InvalidJob unless a ring of ``overlap`` pixels leaves a part of the centre."""
        most = (min(self.centre_size) - LATENT_PX) // 2 // LATENT_PX * LATENT_PX
        if overlap > most:
            raise InvalidJob(
                "covers the whole centre",
                field="overlap",
                value=overlap,
                allowed=f"0 to {most}",
            )


def _most(side: int) -> int:
    return (side - MIN_CENTRE_PX) // 2 // LATENT_PX * LATENT_PX


def _near(border: float, side: int) -> set[int]:
    """The two multiples of the latent cell around ``border``, within the limits of ``side``."""
    cells = border / LATENT_PX
    most = max(_most(side), LATENT_PX)
    return {
        min(max(around * LATENT_PX, LATENT_PX), most)
        for around in (math.floor(cells), math.ceil(cells))
    }
