"""Makes the key frames of zooms, each around the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from winepress_shared.archive import Archive
from winepress_shared.jobs.job import Job
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.ledger.records import Slice
from winepress_shared.metadata import PictureFacts
from winepress_worker.engines.base import OnStep, Request, RequestRenderer
from winepress_worker.zoom.key_frames import KeyFrames
from winepress_worker.zoom.outpaint import Outpainting
from winepress_worker.zoom.plan import Source, source_of

#: Of a picture that no model had a hand in.
_GIVEN = PictureFacts("none", "CPU", "none", "none", "none")


@dataclass(frozen=True)
class Made:
    """One key frame, and how it was made."""

    image: Image.Image
    job: Job  #: to be noted in its file
    facts: PictureFacts
    drawing: Job | None = None  #: what a model was asked to draw; None when none was
    warnings: tuple[str, ...] = ()  #: words of it that the model does not read


class KeyFrameRenderer:
    """Makes one key frame at a time. Not thread-safe.

    Within a slice it keeps the key frame before. The first one of a slice reads that from the
    store, so any worker goes on where another stopped.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        #: Fence and number of the key frame made last. It counts for the slice it was made in only:
        #: another worker may have stored another picture under that number since.
        self._at_hand: tuple[int, int] = (0, 0)
        self._last: Image.Image | None = None

    def make(
        self,
        zoom: ZoomVideo,
        slice_: Slice,
        unit: int,
        renderer: RequestRenderer,
        pictures: Sequence[Image.Image],
        on_step: OnStep,
    ) -> Made:
        """Make key frame ``unit``; ``pictures`` are the given ones of the job, in its order.

        Raises what `Pipeline.render` and `KeyFrames.load` raise.
        """
        stored = KeyFrames(self._archive, slice_.job_id, zoom)
        previous = self._last if self._at_hand == (slice_.fence, unit - 1) else None
        made = _Making(zoom, stored, renderer, pictures, on_step).make(unit, previous)
        self._at_hand, self._last = (slice_.fence, unit), made.image
        return made


@dataclass(frozen=True)
class _Making:
    """What one key frame is made with."""

    job: ZoomVideo
    stored: KeyFrames
    renderer: RequestRenderer
    pictures: Sequence[Image.Image]
    on_step: OnStep

    def make(self, index: int, previous: Image.Image | None) -> Made:
        """The key frame; ``previous`` is the one before, when it is at hand."""
        source = source_of(self.job, index)
        if source is Source.GIVEN:
            return self._given()
        if source is Source.DRAWN:
            return self._first()
        previous = previous or self.stored.load(index - 1)
        if source is Source.OUTPAINTED:
            return self._around(index, previous)
        wide = self.pictures[-1] if source is Source.EXIT else self.stored.load(0)
        return self._into(index, previous, wide)

    def _given(self) -> Made:
        image = self.pictures[0].convert("RGB")
        image = image.resize(self.job.nesting.size, Image.Resampling.LANCZOS)
        # No metadata in the file: no machine has made this picture.
        return Made(image, self.job.model_copy(update={"embed_metadata": False}), _GIVEN)

    def _first(self) -> Made:
        drawing = self.job.first_drawing()
        image, facts, unread = self._draw(drawing)
        return Made(image, drawing, facts, drawing, unread)

    def _around(self, index: int, previous: Image.Image) -> Made:
        outpainting, drawing = Outpainting.of(self.job), self.job.drawing_of(index)
        canvas = outpainting.canvas(previous)
        drawn, facts, unread = self._draw(drawing, canvas, outpainting.mask())
        image = outpainting.compose(drawn, previous)
        return Made(image, self.job.for_unit(index), facts, drawing, unread)

    def _into(self, index: int, previous: Image.Image, wide: Image.Image) -> Made:
        """The key frame before, set into a picture that is there already."""
        outpainting, drawing = Outpainting.of(self.job), self.job.drawing_of(index)
        canvas, mask = outpainting.exit_canvas(previous, wide), outpainting.exit_mask()
        job = self.job.for_unit(index)
        if mask is None:
            return Made(canvas, job, _GIVEN)
        drawn, facts, unread = self._draw(drawing, canvas, mask)
        image = outpainting.exit_compose(drawn, previous, wide)
        return Made(image, job, facts, drawing, unread)

    def _draw(
        self, drawing: Job, canvas: Image.Image | None = None, mask: Image.Image | None = None
    ) -> tuple[Image.Image, PictureFacts, tuple[str, ...]]:
        request = Request(drawing, (drawing.seed or 0,), canvas, mask)
        (image,) = self.renderer.render(request, self.on_step)
        return image, self.renderer.facts(request), self.renderer.unread(drawing)
