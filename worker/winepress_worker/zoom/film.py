"""The film of a zoom: every frame composed of the key frames the camera sees, one after the other.

Each pixel is sampled from one key frame only, the innermost that shows it. Key frames agree where
they meet (`Outpainting.corrected`), so which one a pixel is taken from cannot be seen, and the
position it is sampled at is exact: nothing is rounded to whole pixels.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise

from PIL import Image

from winepress_worker.zoom.camera import Camera, Layer
from winepress_worker.zoom.outpaint import RESAMPLING, Outpainting
from winepress_worker.zoom.planes import (
    RGB_STEPS,
    YUV420_STEPS,
    Frame,
    empty_frame,
    fold_rgb,
    fold_yuv,
    margin,
    unfold,
)

Extent = tuple[int, int]  #: samples of a folded plane from its centre, per axis
Box = tuple[int, int, int, int]  #: left, top, right and bottom, in samples of a folded plane
Load = Callable[[int], Image.Image]  #: key frame by number
Folded = tuple[Image.Image, ...]  #: planes of one key frame

_THREADS = 2  #: Pillow lets other threads run while it resamples
_AHEAD = 2 * _THREADS  #: frames composed before the encoder asks for them
#: For halved colours, which are shrunk nearly everywhere: half the work, and no visible change.
_COLOUR_RESAMPLING = Image.Resampling.HAMMING

#: In a loop every key frame contains all the others without end; smaller ones cannot be seen.
_MIN_LOOP_PX = 2.0


class Film:
    """Composes the frames of one film."""

    def __init__(self, camera: Camera, outpainting: Outpainting, load: Load, *, rgb: bool) -> None:
        """``load`` is called when a key frame comes into view; ``rgb`` chooses the frames' form."""
        self._camera = camera
        self._outpainting = outpainting
        self._load = load
        self._key_size = outpainting.nesting.size
        self._rgb = rgb
        self._steps = RGB_STEPS if rgb else YUV420_STEPS
        self._pictures: dict[int, Image.Image] = {}
        self._nests: dict[int, Image.Image] = {}
        self._folded: dict[int, Folded] = {}

    def frames(self) -> Iterator[Frame]:
        """Every frame in order; memory does not depend on how many there are."""
        waiting: deque[Future[Frame]] = deque()
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="film") as pool:
            try:
                for place in self._camera.places():
                    layers = self._camera.layers(place)
                    stack = [self._folded_of(layer.level) for layer in layers]
                    self._forget(layers)
                    waiting.append(pool.submit(self._compose, layers, stack))
                    if len(waiting) > _AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _compose(self, layers: list[Layer], stack: list[Folded]) -> Frame:
        frame, planes = empty_frame(self._camera.size, rgb=self._rgb)
        for index, (plane, step) in enumerate(zip(planes, self._steps, strict=True)):
            sources = [folded[index] for folded in stack]
            size = (plane.shape[1], plane.shape[0])
            unfold(self._quarters(size, step, layers, sources), plane)
        return frame

    def _quarters(
        self, size: Extent, step: int, layers: list[Layer], sources: list[Image.Image]
    ) -> Image.Image:
        """The folded plane of a frame that has ``size`` samples, one for ``step`` film pixels."""
        extent = (-(-size[0] // 2), -(-size[1] // 2))
        first = tuple(0.0 if samples % 2 else step / 2 for samples in size)
        extents = [extent]
        extents += [self._extent(step, first, layer) for layer in layers[1:]]
        extents.append((0, 0))
        quarters = Image.new("CMYK", extent)
        for layer, source, (outer, inner) in zip(layers, sources, pairwise(extents), strict=True):
            for piece in _around(outer, inner):
                sampled = self._sampled(step, first, layer, source, piece)
                quarters.paste(sampled, piece[:2])
        return quarters

    def _extent(self, step: int, first: tuple[float, ...], layer: Layer) -> Extent:
        """How many samples from the centre on lie, with their footprint, in a key frame."""
        across, down = (
            max(math.floor((side * scale / 2 - start) / step + 0.5), 0)
            for side, scale, start in zip(self._key_size, layer.scale, first, strict=True)
        )
        return across, down

    def _sampled(
        self, step: int, first: tuple[float, ...], layer: Layer, source: Image.Image, piece: Box
    ) -> Image.Image:
        lows, highs = [], []
        for axis in (0, 1):
            # Pillow takes sample k of the piece at low + (k + 1/2) · pitch. The first sample of
            # the plane lies ``first`` film pixels from the centre.
            pitch = step / layer.scale[axis]
            start = (step * piece[axis] + first[axis]) / layer.scale[axis]
            low = margin(self._key_size[axis]) + start - pitch / 2
            lows.append(max(low, 0.0))
            highs.append(low + (piece[axis + 2] - piece[axis]) * pitch)
        size = (piece[2] - piece[0], piece[3] - piece[1])
        resampling = RESAMPLING if step == 1 else _COLOUR_RESAMPLING
        return source.resize(size, resampling, box=(lows[0], lows[1], highs[0], highs[1]))

    # -- key frames --------------------------------------------------------------------------

    def _folded_of(self, level: int) -> Folded:
        level = self._same(level)
        if level not in self._folded:
            picture = self._nested(level)
            if self._camera.loops or level < self._camera.top:
                picture = self._outpainting.corrected(picture, self._nested(level + 1))
            self._folded[level] = fold_rgb(picture) if self._rgb else fold_yuv(picture)
        return self._folded[level]

    def _nested(self, level: int) -> Image.Image:
        """A key frame; in a loop, with all that lies within it, until it is too small to see."""
        level = self._same(level)
        if level not in self._nests:
            picture = self._picture(level - self._depth)
            for around in range(level - self._depth + 1, level + 1):
                picture = self._outpainting.nested(self._picture(around), picture)
            self._nests[level] = picture
        return self._nests[level]

    @property
    def _depth(self) -> int:
        """Key frames between one that fills the view of a loop and one of `_MIN_LOOP_PX`."""
        if not self._camera.loops:
            return 0
        zoom, side = min(self._outpainting.nesting.zoom), max(self._key_size)
        return math.ceil(math.log(side / _MIN_LOOP_PX) / math.log(zoom))

    def _picture(self, level: int) -> Image.Image:
        level = self._same(level)
        if level not in self._pictures:
            self._pictures[level] = self._load(level).convert("RGB")
        return self._pictures[level]

    def _same(self, level: int) -> int:
        """In a loop the widest key frame is the innermost too."""
        if not self._camera.loops:
            return level
        return level % self._camera.top or self._camera.top

    def _forget(self, layers: list[Layer]) -> None:
        """Drop what is out of view; threads hold on to what they still need."""
        lowest, highest = layers[-1].level - self._depth, layers[0].level + 1
        near = {self._same(level) for level in range(lowest, highest + 1)}
        for kept in (self._pictures, self._nests, self._folded):
            for level in kept.keys() - near:
                del kept[level]


def _around(outer: Extent, inner: Extent) -> list[Box]:
    """Two boxes that cover ``outer`` without ``inner``; both extents begin at the centre."""
    inner = (min(inner[0], outer[0]), min(inner[1], outer[1]))
    if not inner[0] or not inner[1]:
        return [(0, 0, *outer)]
    pieces = [(inner[0], 0, outer[0], inner[1]), (0, inner[1], outer[0], outer[1])]
    return [piece for piece in pieces if piece[0] < piece[2] and piece[1] < piece[3]]
