"""The camera of a zoom: where it is at each film frame, and what it sees of which key frame.

Its place is one number *u*: at u = i the view is exactly key frame *i*. Key frame *j* then appears
magnified by z^(j − u) about the centre (z is the zoom of the nesting, per axis). Everything here
is real numbers; pixels come in where a layer is sampled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from winepress_shared.jobs.film_cut import HALVED_COLOUR, Direction, FilmCut
from winepress_shared.jobs.nesting import Nesting

#: A key frame inside the two that make up the view is drawn as well down to this magnification;
#: below, the ones around it show the same pixels.
_MIN_INNER_SCALE = 0.5
_EPSILON = 1e-9  #: of u, so that u = 3.0000000001 does not call for key frame 4


@dataclass(frozen=True)
class Layer:
    """One key frame as the camera sees it; layers are listed from the outside in."""

    level: int  #: number of the key frame
    scale: tuple[float, float]  #: film pixels per pixel of the key frame, per axis


class Camera:
    """The way of the camera through a stack of key frames."""

    def __init__(self, nesting: Nesting, key_frames: int, cut: FilmCut) -> None:
        self._nesting = nesting
        #: Number of the widest key frame.
        self.top = key_frames - 1
        self._cut = cut
        self._leg = cut.leg_frames(key_frames)
        self.frame_count = cut.frame_count(key_frames)
        #: Size of the film, in pixels.
        self.size = _film_size(nesting.size, cut)

    @property
    def loops(self) -> bool:
        """True when the last key frame is the first one again."""
        return self._cut.direction is Direction.LOOP

    def places(self) -> Iterator[float]:
        """The camera's u at every film frame."""
        direction, hold = self._cut.direction, self._cut.hold_frames
        leg = [self._place(frame) for frame in range(self._leg)]
        if direction in (Direction.IN, Direction.LOOP):
            leg = [self.top - place for place in leg]
        yield from (leg[0] for _ in range(hold))
        yield from leg
        yield from (leg[-1] for _ in range(hold))
        if direction is Direction.PING_PONG and self.top:
            yield from reversed(leg[1:-1])

    def _place(self, frame: int) -> float:
        """Outward u at one frame of a leg; a loop comes back to its first frame after the last."""
        steps = self._leg if self.loops else self._leg - 1
        return self.top * self._cut.easing(frame / steps) if steps else 0.0

    def layers(self, place: float) -> list[Layer]:
        """What is seen at u = ``place``, from the outermost key frame inwards."""
        outermost = math.ceil(place - _EPSILON)
        found: list[Layer] = []
        for level in range(outermost, outermost - 10_000, -1):
            layer = Layer(level, self._scale(level - place))
            if level < outermost and not self._is_seen(layer, outermost):
                break
            found.append(layer)
        return found

    def _is_seen(self, layer: Layer, outermost: int) -> bool:
        if layer.level < 0 and not self.loops:
            return False
        return layer.level == outermost - 1 or min(layer.scale) >= _MIN_INNER_SCALE * self._cover

    def _scale(self, steps: float) -> tuple[float, float]:
        across, down = self._nesting.zoom
        return self._cover * across**steps, self._cover * down**steps

    @property
    def _cover(self) -> float:
        """Film pixels per pixel of the key frame that is seen in full; it fills the film."""
        return max(
            ours / theirs for ours, theirs in zip(self.size, self._nesting.size, strict=True)
        )


def _film_size(size: tuple[int, int], cut: FilmCut) -> tuple[int, int]:
    """One side alone keeps the aspect; colours at half size need even sides, so those round up."""
    width, height = size
    if cut.film_width or cut.film_height:
        width = cut.film_width or round((cut.film_height or 0) * size[0] / size[1])
        height = cut.film_height or round((cut.film_width or 0) * size[1] / size[0])
    if cut.film_format in HALVED_COLOUR:
        return width + width % 2, height + height % 2
    return width, height
