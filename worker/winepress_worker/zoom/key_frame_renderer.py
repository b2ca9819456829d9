"""The key-frame renderer: makes key frame after key frame of a zoom, each around the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from winepress_shared.archive import Archive, JobRecord
from winepress_shared.errors import FailForGood
from winepress_shared.jobs.job import Job
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.ledger.records import Slice
from winepress_shared.metadata import PictureFacts
from winepress_worker.engines.base import OnStep, Request
from winepress_worker.pipelines.by_model import PipelinesByModel
from winepress_worker.zoom.key_frames import KeyFrames
from winepress_worker.zoom.outpaint import Outpainting
from winepress_worker.zoom.plan import Source, plan

#: Of a picture that no model had a hand in.
_GIVEN = PictureFacts("none", "CPU", "none", "none", "none")


@dataclass(frozen=True)
class Painted:
    """One key frame, and how it came to be."""

    image: Image.Image
    job: Job  #: to be noted in its file
    facts: PictureFacts
    drawing: Job | None = None  #: what the model was asked for; None when it was not
    warnings: tuple[str, ...] = ()  #: words of it that the model does not read


class KeyFrameRenderer:
    """Makes one key frame at a time. Not thread-safe.

    Within a slice the key frame before is at hand. At its start that one comes from the store, so
    any worker goes on where another stopped.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        #: Fence and number of the key frame made last. Only for the slice it was made in: another
        #: worker may have stored another picture under that number since.
        self._at_hand: tuple[int, int] = (0, 0)
        self._last: Image.Image | None = None

    def paint(
        self,
        record: JobRecord,
        part: Slice,
        unit: int,
        pipelines: PipelinesByModel,
        pictures: Sequence[Image.Image],
        on_step: OnStep,
    ) -> Painted:
        """Make key frame ``unit``; ``pictures`` are the given ones of the job, in its order.

        Raises what `Pipeline.render` and `KeyFrames.load` raise.
        """
        job = record.job
        if not isinstance(job, ZoomVideo):
            raise FailForGood(f"{job.kind} has no key frames", field="kind")
        easel = _Easel(job, KeyFrames(self._archive, record.id, job), pipelines, pictures, on_step)
        previous = self._last if self._at_hand == (part.fence, unit - 1) else None
        painted = easel.paint(unit, previous)
        self._at_hand, self._last = (part.fence, unit), painted.image
        return painted


@dataclass(frozen=True)
class _Easel:
    """What one key frame is made with."""

    job: ZoomVideo
    stored: KeyFrames
    pipelines: PipelinesByModel
    pictures: Sequence[Image.Image]
    on_step: OnStep

    def paint(self, index: int, previous: Image.Image | None) -> Painted:
        """The key frame; ``previous`` is the one before, when it is at hand."""
        source = plan(self.job)[index].source
        if source is Source.GIVEN:
            return self._given()
        if source is Source.DRAWN:
            return self._first()
        previous = previous or self.stored.load(index - 1)
        if source is Source.OUTPAINTED:
            return self._around(index, previous)
        wide = self.pictures[-1] if source is Source.EXIT else self.stored.load(0)
        return self._into(index, previous, wide)

    def _given(self) -> Painted:
        image = self.pictures[0].convert("RGB")
        image = image.resize(self.job.nesting.size, Image.Resampling.LANCZOS)
        # Nothing is to be said in the file: no machine has made this picture.
        return Painted(image, self.job.model_copy(update={"embed_metadata": False}), _GIVEN)

    def _first(self) -> Painted:
        drawing = self.job.first_drawing()
        image, facts, unread = self._draw(drawing)
        return Painted(image, drawing, facts, drawing, unread)

    def _around(self, index: int, previous: Image.Image) -> Painted:
        outpainting, drawing = Outpainting.of(self.job), self.job.drawing_of(index)
        canvas = outpainting.canvas(previous)
        drawn, facts, unread = self._draw(drawing, canvas, outpainting.mask())
        image = outpainting.compose(drawn, previous)
        return Painted(image, self.job.for_unit(index), facts, drawing, unread)

    def _into(self, index: int, previous: Image.Image, wide: Image.Image) -> Painted:
        """The key frame before, set into a picture that is there already."""
        outpainting, drawing = Outpainting.of(self.job), self.job.drawing_of(index)
        canvas, mask = outpainting.exit_canvas(previous, wide), outpainting.exit_mask()
        job = self.job.for_unit(index)
        if mask is None:
            return Painted(canvas, job, _GIVEN)
        drawn, facts, unread = self._draw(drawing, canvas, mask)
        image = outpainting.exit_compose(drawn, previous, wide)
        return Painted(image, job, facts, drawing, unread)

    def _draw(
        self, drawing: Job, canvas: Image.Image | None = None, mask: Image.Image | None = None
    ) -> tuple[Image.Image, PictureFacts, tuple[str, ...]]:
        request = Request(drawing, (drawing.seed or 0,), canvas, mask)
        (image,) = self.pipelines.render(request, self.on_step)
        return image, self.pipelines.facts(request), self.pipelines.unread(drawing)
