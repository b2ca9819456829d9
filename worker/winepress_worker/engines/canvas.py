"""Fits input pictures to a job's size, applies masks, and checks the output."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image

from winepress_shared.errors import BadOutput, FailForGood
from winepress_worker.engines.base import Request

STATIC_GRID_PX = 64  #: a static-shape device renders sides in multiples of this, then crops
#: A channel with a smaller range of values than this, in 8-bit levels, counts as one colour.
_FLAT_LEVELS = 1


@dataclass(frozen=True)
class Canvas:
    """The input pictures of one request at its rendered size."""

    size: tuple[int, int]  #: width and height, in pixels
    image: Image.Image | None  #: RGB
    mask: Image.Image | None  #: greyscale, white is repainted
    frame: tuple[int, int]  #: rendered size; larger than ``size`` on static-shape devices

    @classmethod
    def of(cls, request: Request, grid: int = 1) -> Canvas:
        """Resize the source by Lanczos and the mask by nearest pixel; raises FailForGood.

        Both sides of the frame are multiples of ``grid``, in pixels.
        """
        job = request.job
        size = (job.width or 0, job.height or 0)
        for name in job.picture_names:
            if getattr(request, name) is None:
                raise FailForGood(f"{job.kind} needs this picture", field=name)
        image = request.image and _fit(request.image.convert("RGB"), size, Image.Resampling.LANCZOS)
        mask = request.mask and _fit(request.mask.convert("L"), size, Image.Resampling.NEAREST)
        frame = (-(-size[0] // grid) * grid, -(-size[1] // grid) * grid)
        return cls(size, image, mask, frame)

    def framed(self, picture: Image.Image | None) -> Image.Image | None:
        """Centre a picture of the canvas size in the frame, over an enlarged copy of itself."""
        if picture is None or self.frame == self.size:
            return picture
        around = picture.resize(self.frame, Image.Resampling.NEAREST)
        around.paste(picture, self._box[:2])
        return around

    def finish(self, drawn: Image.Image) -> Image.Image:
        """Crop the frame to the canvas size and restore the source wherever the mask protects it.

        Black keeps the source's pixels exactly, white is the drawn picture, grey blends the two; a
        soft seam needs a soft mask.
        """
        if self.frame != self.size:
            drawn = drawn.crop(self._box)
        if self.mask is None or self.image is None:
            return drawn
        return Image.composite(drawn, self.image, self.mask)

    @property
    def _box(self) -> tuple[int, int, int, int]:
        """The crop box of the canvas in the frame."""
        left = (self.frame[0] - self.size[0]) // 2
        top = (self.frame[1] - self.size[1]) // 2
        return left, top, left + self.size[0], top + self.size[1]


def check_pictures(pictures: Iterable[Image.Image]) -> None:
    """Raise BadOutput if a picture is all one colour, as faulty devices draw."""
    for picture in pictures:
        if all(high - low <= _FLAT_LEVELS for low, high in _extrema(picture)):
            raise BadOutput("the rendered picture is all one colour")


def _extrema(picture: Image.Image) -> list[tuple[int, int]]:
    """Lowest and highest 8-bit level of every channel."""
    spans: list[tuple[int, int]] = []
    for channel in picture.split():
        histogram = channel.histogram()
        levels = [level for level, count in enumerate(histogram) if count]
        spans.append((levels[0], levels[-1]))
    return spans


def _fit(picture: Image.Image, size: tuple[int, int], resampling: Image.Resampling) -> Image.Image:
    return picture if picture.size == size else picture.resize(size, resampling)
