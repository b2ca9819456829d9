"""Growing a picture outwards: the canvas a model continues, and the seam afterwards.

A key frame is shrunk into the centre of a canvas. The model draws the border and, inside the
centre, a ring of overlap once more. The old centre is then put back with a soft edge in that ring,
after the colours of the new picture have been matched to it along the ring, and less with distance.
So neither an edge nor a jump of colour is visible, and far out the model's own colours remain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from winepress_shared.jobs.nesting import Nesting
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_worker.zoom.colour_field import ColourField, Pixels

Weights = npt.NDArray[np.float32]  #: height × width × 1, 0 to 1

#: Shrinks and enlarges key frames; Pillow widens it when shrinking, so nothing aliases.
RESAMPLING = Image.Resampling.BICUBIC


@dataclass(frozen=True)
class Outpainting:
    """How one key frame is set into the next."""

    nesting: Nesting
    overlap: int  #: width of the ring of the centre that is drawn again, in pixels
    feather: int  #: width of the soft edge at the inner side of that ring, in pixels
    matching: bool = True  #: colours of what was drawn are matched to the centre

    @classmethod
    def of(cls, job: ZoomVideo) -> Self:
        """As the resolved ``job`` asks for."""
        return cls(job.nesting, job.overlap, job.feather_px, job.colour_matching)

    def canvas(self, previous: Image.Image) -> Image.Image:
        """The key frame before in the centre, its edge pixels drawn out to the border."""
        x, y = self.nesting.border
        centre = np.asarray(self._shrink(previous))
        return Image.fromarray(np.pad(centre, ((y, y), (x, x), (0, 0)), mode="edge"))

    def mask(self) -> Image.Image:
        """Greyscale; white, to be drawn, are the border and the ring of overlap."""
        mask = Image.new("L", self.nesting.size, 255)
        mask.paste(0, self._inset(self.overlap))
        return mask

    def compose(self, drawn: Image.Image, previous: Image.Image) -> Image.Image:
        """The finished key frame: what was drawn, with the old centre softly put back."""
        new, old = _pixels(drawn), _pixels(self._shrink(previous))
        if self.matching:
            new = self._matched(new, old)
        return _image(self._with_centre(new, old))

    def nested(self, around: Image.Image, inside: Image.Image) -> Image.Image:
        """``around`` with another picture in its centre, softly as in `compose`."""
        whole = around.copy()
        whole.paste(self._shrink(inside), self.nesting.centre[:2], self._centre)
        return whole

    def exit_canvas(self, previous: Image.Image, wide: Image.Image) -> Image.Image:
        """The exit picture with the key frame before in its centre."""
        canvas = _fitted(wide, self.nesting.size)
        canvas.paste(self._shrink(previous), self.nesting.centre[:2])
        return canvas

    def exit_mask(self) -> Image.Image | None:
        """Greyscale; white is a band on both sides of the seam. None when there is no overlap."""
        if not self.overlap:
            return None
        mask = Image.new("L", self.nesting.size, 0)
        mask.paste(255, self._inset(-self._outward))
        mask.paste(0, self._inset(self.overlap))
        return mask

    def exit_compose(
        self, drawn: Image.Image, previous: Image.Image, wide: Image.Image
    ) -> Image.Image:
        """The exit picture, blended with the old centre through the band that was drawn."""
        around = _pixels(_fitted(wide, self.nesting.size))
        inside = self._soft_box(self.nesting.size, (1.0, 1.0), self._outward, outward=True)
        new = inside * _pixels(drawn) + (1 - inside) * around
        return _image(self._with_centre(new, _pixels(self._shrink(previous))))

    def corrected(self, previous: Image.Image, following: Image.Image) -> Image.Image:
        """``previous`` as ``following`` shows it: its rim is what was drawn over it there.

        So a film may change from one to the other anywhere, and the change cannot be seen.
        """
        if not self.overlap:
            return previous
        size = self.nesting.size
        seen = following.resize(size, RESAMPLING, box=self.nesting.centre)
        return Image.composite(previous, seen, self._rim)

    @cached_property
    def _rim(self) -> Image.Image:
        """Greyscale; black is where a key frame is shown as the next one has it."""
        return _greyscale(self._soft_box(self.nesting.size, self.nesting.zoom, self.overlap))

    @cached_property
    def _centre(self) -> Image.Image:
        """The same for the shrunk key frame."""
        return _greyscale(self._soft_box(self.nesting.centre_size, (1.0, 1.0), self.overlap))

    @property
    def _outward(self) -> int:
        """Width of the band that may be drawn outside the centre of an exit picture."""
        return min(self.overlap, *self.nesting.border)

    def _shrink(self, picture: Image.Image) -> Image.Image:
        return _fitted(picture, self.nesting.centre_size)

    def _inset(self, pixels: int) -> tuple[int, int, int, int]:
        left, top, right, bottom = self.nesting.centre
        return left + pixels, top + pixels, right - pixels, bottom - pixels

    def _with_centre(self, new: Pixels, old: Pixels) -> Pixels:
        left, top, right, bottom = self.nesting.centre
        weight = self._soft_box(self.nesting.centre_size, (1.0, 1.0), self.overlap)
        whole = new.copy()
        whole[top:bottom, left:right] = weight * old + (1 - weight) * new[top:bottom, left:right]
        return whole

    def _matched(self, new: Pixels, old: Pixels) -> Pixels:
        """``new`` in the colours that ``old`` has in the ring both of them show, less further out.

        Each side by itself and not all by one mean: a model that draws its sky lighter draws its
        ground darker, and a common shift would grow from key frame to key frame.
        """
        if not self.overlap:
            return new
        left, top, right, bottom = self.nesting.centre
        difference = np.zeros_like(new)
        difference[top:bottom, left:right] = old - new[top:bottom, left:right]
        left, top, right, bottom = self._inset(self.overlap)
        difference[top:bottom, left:right] = 0
        return new + self._field.spread(difference)

    @cached_property
    def _field(self) -> ColourField:
        ring = Image.new("L", self.nesting.size, 0)
        ring.paste(1, self.nesting.centre)
        ring.paste(0, self._inset(self.overlap))
        return ColourField(np.asarray(ring, np.bool_))

    def _soft_box(
        self, size: tuple[int, int], zoom: tuple[float, float], ring: int, *, outward: bool = False
    ) -> Weights:
        """1 inside, 0 at the rim; with ``outward`` the same of a box that ends outside the centre.

        The soft edge is `feather` pixels wide, at ``zoom`` times the scale, and ends at ``ring``.
        """
        width, height = size
        rims = self.nesting.border if outward else (0, 0)
        columns, rows = (
            self._ramp(side, factor, ring, rim if outward else None)
            for side, factor, rim in zip((width, height), zoom, rims, strict=True)
        )
        return np.asarray(rows[:, None, None] * columns[None, :, None], np.float32)

    def _ramp(self, side: int, zoom: float, ring: int, rim: int | None) -> npt.NDArray[np.float64]:
        """Weight along one axis of ``side`` pixels."""
        centres = np.arange(side) + 0.5
        from_rim = np.minimum(centres, side - centres) / zoom
        feather = min(self.feather, ring)
        start = ring - feather if rim is None else rim - ring
        if not feather:
            return np.asarray(from_rim >= start, np.float64)
        share = np.clip((from_rim - start) / feather, 0, 1)
        return np.asarray(share * share * (3 - 2 * share), np.float64)


def _fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    picture = picture.convert("RGB")
    return picture.copy() if picture.size == size else picture.resize(size, RESAMPLING)


def _pixels(picture: Image.Image) -> Pixels:
    return np.asarray(picture.convert("RGB"), np.float32)


def _greyscale(weights: Weights) -> Image.Image:
    return Image.fromarray(np.rint(weights[:, :, 0] * 255).astype(np.uint8))


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
