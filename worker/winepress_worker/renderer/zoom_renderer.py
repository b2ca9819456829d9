"""Renders zooms: their key frames, one around the other, and then the film."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from winepress_shared.archive import Archive
from winepress_shared.cost import megapixel_steps
from winepress_shared.errors import FailForGood
from winepress_shared.jobs.job import Job
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_worker.renderer.call_size import Call
from winepress_worker.renderer.delivery import Delivery, Drawn, Rendered, Stored
from winepress_worker.renderer.lease_client import LeaseClient
from winepress_worker.renderer.pace import Pace
from winepress_worker.renderer.work import SliceWork, UnitWork
from winepress_worker.zoom.plan import Source, source_of

if TYPE_CHECKING:
    from winepress_worker.zoom.film_renderer import FilmRenderer
    from winepress_worker.zoom.key_frame_renderer import KeyFrameRenderer, Made


class ZoomRenderer:
    """Renders one unit at a time, since each key frame needs the one before.

    What makes key frames and films is imported at the first zoom: it brings numpy and FFmpeg.
    """

    def __init__(
        self, lease_client: LeaseClient, archive: Archive, delivery: Delivery, pace: Pace
    ) -> None:
        self._lease_client = lease_client
        self._archive = archive
        self._delivery = delivery
        self._pace = pace

    def prepare(self, work: SliceWork) -> None:
        """Prepare every model of the slice, and load that of its first unit.

        So no key frame waits for more than the load of its model.
        """
        job = work.record.job
        models = [job.model_of(unit) for unit in work.slice.units]
        for model in dict.fromkeys(models):
            if model is not None:
                work.pipelines.prepare(model, job.precision)
        if models[0] is not None:
            work.pipelines.load(_drawn_by(job, models[0]))

    def next_call(self, units: Sequence[UnitWork]) -> Call | None:
        """Nothing is drawn together."""
        return None

    def draw(self, units: Sequence[UnitWork], call: Call | None) -> Sequence[Rendered]:
        """The key frame or the film that the one unit is."""
        zoom = units[0].work.record.job
        if not isinstance(zoom, ZoomVideo):
            raise FailForGood(f"{zoom.kind} is no zoom", field="kind")
        render = self._film if zoom.is_film(units[0].number) else self._key_frame
        return (render(zoom, units[0]),)

    def _key_frame(self, zoom: ZoomVideo, unit: UnitWork) -> Drawn:
        work = unit.work
        if source_of(zoom, unit.number) is Source.WRAP:
            self._delivery.settle()  # only the one before is at hand; the first must be stored
        model = zoom.model_of(unit.number)
        is_first = model is not None and not work.pipelines.is_warm(_drawn_by(zoom, model))
        began = time.perf_counter()
        made = self._make(work, zoom, unit.number)
        seconds, drawing = time.perf_counter() - began, made.drawing
        if drawing is not None:
            steps, cost = drawing.num_inference_steps or 1, megapixel_steps(drawing)
            self._pace.learn(str(work.record.lane), seconds, steps, cost, is_first=is_first)
        return Drawn(
            slice=work.slice,
            unit=unit.number,
            job=made.job,
            image=made.image,
            facts=made.facts,
            render_s=seconds,
            warnings=(*unit.warnings, *made.warnings),
        )

    def _make(self, work: SliceWork, zoom: ZoomVideo, unit: int) -> Made:
        pictures = work.inputs.of(zoom)
        on_step = self._lease_client.watch((work.slice, unit))
        return self._key_frame_renderer.make(
            zoom, work.slice, unit, work.pipelines, pictures, on_step
        )

    def _film(self, zoom: ZoomVideo, unit: UnitWork) -> Stored:
        # Who begins to watch when it is cut already is told how many frames it has.
        on_step = self._lease_client.watch((unit.slice, unit.number), tells_end=True)
        row = self._film_renderer.cut(zoom, unit.slice, unit.number, on_step)
        return Stored(unit.slice, unit.number, row)

    @cached_property
    def _key_frame_renderer(self) -> KeyFrameRenderer:
        from winepress_worker.zoom.key_frame_renderer import KeyFrameRenderer

        return KeyFrameRenderer(self._archive)

    @cached_property
    def _film_renderer(self) -> FilmRenderer:
        from winepress_worker.zoom.film_renderer import FilmRenderer

        return FilmRenderer(self._archive, self._lease_client.worker, self._delivery.outlast)


def _drawn_by(job: Job, model: str) -> Job:
    return job.model_copy(update={"model": model})
