"""Key frames of real zooms, and how well they continue each other, in figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job
from winepress_shared.jobs.nesting import Nesting
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.lane import Precision
from winepress_worker.conversion.preparation import prepare
from winepress_worker.engines.base import Pipeline, Request
from winepress_worker.engines.openvino import OpenVinoEngine
from winepress_worker.models.local_models import LocalModels
from winepress_worker.zoom.outpaint import Outpainting

Pixels = npt.NDArray[np.float64]
WANTED_RATIO = 1.3  #: at most
_BESIDE = range(4, 13)  #: distance of the lines that a seam is compared with, in pixels


def scenery(first: str, around: str, **fields: object) -> ZoomVideo:
    """A zoom out of ``first`` into ``around``, of 256 pixels and nine key frames."""
    values = {"prompts": {0: first, 1: around}, "key_frames": 9, "seed": 7}
    return ZoomVideo.model_validate({**values, "width": 256, "height": 256, **fields})


class Easel:
    """Draws the key frames of zooms with the bundled models, as a worker would."""

    def __init__(self, home: Path) -> None:
        """Prepared models and compiled blobs are kept below ``home``."""
        self._catalogue = Catalogue.load()
        self._engine = OpenVinoEngine(
            LocalModels(home, self._catalogue), "CPU", home / "blobs", prepare=prepare
        )
        self._pipelines: dict[str, Pipeline] = {}

    def key_frames(self, film: ZoomVideo, way: Outpainting | None = None) -> list[Image.Image]:
        """All of them, joined in this ``way``; None is the one the job asks for."""
        outpainting = way or Outpainting.of(film)
        film = cast("ZoomVideo", self._catalogue.resolve(film))  # names who draws the first one
        frames = [self._draw(film.first_drawing())]
        for index in range(1, film.key_frame_count):
            canvas, mask = outpainting.canvas(frames[-1]), outpainting.mask()
            job = film.drawing_of(index)
            drawn = self._draw(job, canvas, mask)
            frames.append(outpainting.compose(drawn, frames[-1]))
        return frames

    def _draw(
        self, job: Job, image: Image.Image | None = None, mask: Image.Image | None = None
    ) -> Image.Image:
        job = self._catalogue.resolve(job)
        if job.model not in self._pipelines:
            key = self._engine.prepare(job.model, Precision.FP16)
            self._pipelines[job.model] = self._engine.load(key)
        request = Request(job, (job.seed or 0,), image, mask)
        return self._pipelines[job.model].render(request, lambda done, total: None)[0]


def seam_ratio(picture: Image.Image, nesting: Nesting, overlap: int) -> float:
    """How much steeper a key frame is at its seam than beside it; 1 is no seam at all.

    The worst of three: at the rim of the old centre and at the inner edge of what was drawn, three
    lines against those 4 to 12 pixels away on both sides; all of the ring against as wide a band
    on both sides, at least 16 pixels.
    """
    pixels = np.asarray(picture.convert("RGB"), np.float64)
    edges = [_ratio(pixels, nesting, range(at - 1, at + 2), _both(at)) for at in {0, -overlap}]
    if not overlap:
        return max(edges)
    beside = [*range(-overlap - max(overlap, 16), -overlap), *range(1, max(overlap, 16) + 1)]
    return max(*edges, _ratio(pixels, nesting, range(-overlap, 1), beside))


def film_ratio(frames: Sequence[Image.Image], nesting: Nesting, overlap: int) -> float:
    """The median over all outpainted key frames: one edge of a thing may lie along a seam."""
    return median(seam_ratio(frame, nesting, overlap) for frame in frames[1:])


def drift(frames: Sequence[Image.Image], nesting: Nesting) -> float:
    """How far the mean colour of the border moves from that of the first one, in 8-bit levels.

    The largest over all key frames and channels.
    """
    left, top, right, bottom = nesting.centre
    border = np.ones(nesting.size[::-1], np.bool_)
    border[top:bottom, left:right] = False
    means = np.array([np.asarray(frame, np.float64)[border].mean(axis=0) for frame in frames[1:]])
    return float(np.abs(means - means[0]).max())


def _both(seam: int) -> list[int]:
    """Lines beside a seam, on both sides."""
    return [place for far in _BESIDE for place in (seam - far, seam + far)]


def _ratio(pixels: Pixels, nesting: Nesting, seam: Iterable[int], beside: Iterable[int]) -> float:
    steep, calm = (
        fmean(_steepness(pixels, nesting, place) for place in places if _fits(nesting, place))
        for places in (seam, beside)
    )
    return steep / calm


def _fits(nesting: Nesting, place: int) -> bool:
    """True for lines within the picture that still surround something."""
    return place < min(nesting.border) and 2 * place > -min(nesting.centre_size)


def _steepness(pixels: Pixels, nesting: Nesting, place: int) -> float:
    """Mean step of colour across a rectangle parallel to the rim, ``place`` pixels outside it."""
    left, top, right, bottom = nesting.centre
    rows, columns = slice(top - place, bottom + place), slice(left - place, right + place)
    sides = [
        *(pixels[row, columns] - pixels[row - 1, columns] for row in (rows.start, rows.stop)),
        *(pixels[rows, at] - pixels[rows, at - 1] for at in (columns.start, columns.stop)),
    ]
    return float(np.abs(np.concatenate(sides)).mean())
