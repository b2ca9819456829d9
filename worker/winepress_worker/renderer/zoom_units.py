"""The units of zooms: key frames by the key-frame renderer, films by the film renderer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from PIL import Image

from winepress_shared.archive import Archive, JobRecord
from winepress_shared.cost import megapixel_steps
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.ledger.records import Slice
from winepress_worker.pipelines.by_model import PipelinesByModel
from winepress_worker.renderer.delivery import Delivery, Drawn
from winepress_worker.renderer.lease_client import LeaseClient
from winepress_worker.renderer.pace import Pace
from winepress_worker.zoom.plan import plan

if TYPE_CHECKING:
    from winepress_worker.zoom.film_renderer import FilmRenderer
    from winepress_worker.zoom.key_frame_renderer import KeyFrameRenderer


class ZoomUnits:
    """Makes units of zooms for the executor.

    What it does that with is imported at the first zoom: it brings numpy and FFmpeg with it.
    """

    def __init__(
        self, lease_client: LeaseClient, archive: Archive, delivery: Delivery, pace: Pace
    ) -> None:
        self._lease_client = lease_client
        self._archive = archive
        self._delivery = delivery
        self._pace = pace

    def prepare(self, job: ZoomVideo, units: Sequence[int], pipelines: PipelinesByModel) -> None:
        """Have every model of a slice at hand and the first one warm.

        A fault of that costs no attempt, and a picture waits for no more than its model's load.
        """
        needed = [model for model in map(job.model_of, units) if model is not None]
        for model in dict.fromkeys(needed):
            pipelines.prepare(job, model)
        first = job.model_of(units[0])
        if first is not None:
            pipelines.of(job.model_copy(update={"model": first}))

    def draw(
        self,
        part: Slice,
        record: JobRecord,
        unit: int,
        pipelines: PipelinesByModel,
        pictures: Sequence[Image.Image],
    ) -> Drawn:
        """A key frame; ``pictures`` are the given ones of the job."""
        needs = plan(record.job)[unit].needs if isinstance(record.job, ZoomVideo) else ()
        if min(needs, default=unit) < unit - 1:
            self._delivery.settle()  # only the key frame before is at hand; others must be stored
        is_first, model = False, record.job.model_of(unit)
        if model is not None:
            is_first = not pipelines.of(record.job.model_copy(update={"model": model})).is_warm
        on_step, began = self._lease_client.watch(part, unit), time.perf_counter()
        painted = self._key_frame_renderer.paint(record, part, unit, pipelines, pictures, on_step)
        seconds, drawing = time.perf_counter() - began, painted.drawing
        if drawing is not None:
            steps, cost = drawing.num_inference_steps or 1, megapixel_steps(drawing)
            self._pace.learn(str(record.lane), seconds, steps, cost, is_first=is_first)
        return Drawn(
            part,
            unit,
            painted.job,
            painted.image,
            painted.facts,
            seconds,
            warnings=painted.warnings,
        )

    def cut(self, part: Slice, record: JobRecord, unit: int) -> None:
        """The film; stored and counted when this returns."""
        on_step = self._lease_client.watch(part, unit)
        row = self._film_renderer.cut(record, unit, part.attempts, on_step)
        self._delivery.settle()
        self._delivery.commit(part, unit, row)

    @cached_property
    def _key_frame_renderer(self) -> KeyFrameRenderer:
        from winepress_worker.zoom.key_frame_renderer import KeyFrameRenderer

        return KeyFrameRenderer(self._archive)

    @cached_property
    def _film_renderer(self) -> FilmRenderer:
        from winepress_worker.zoom.film_renderer import FilmRenderer

        return FilmRenderer(self._archive, self._lease_client.worker)
