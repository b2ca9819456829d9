"""Rendering one slice: a short pipeline of named steps. Knows no Celery, no S3, no OpenVINO."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from PIL import Image

from winepress_shared.archive import Archive, JobRecord
from winepress_shared.cost import megapixel_steps
from winepress_shared.errors import (
    Environment,
    Stopped,
    StoreUnreachable,
    WorkerBroken,
)
from winepress_shared.items import ItemReader
from winepress_shared.job import Job
from winepress_shared.lane import Precision
from winepress_shared.ledger_records import Slice
from winepress_shared.picture import Picture
from winepress_shared.zoom import ZoomVideo
from winepress_worker.delivery import Delivery, Drawn
from winepress_worker.desk import Desk
from winepress_worker.engines.base import Pipeline, PipelineKey, Request
from winepress_worker.models.shelf import Report
from winepress_worker.pace import Pace
from winepress_worker.warm_pool import WarmPool

if TYPE_CHECKING:
    from winepress_worker.zoom.cutting_room import CuttingRoom
    from winepress_worker.zoom.painter import Painter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """A slice with everything needed to render its units."""

    part: Slice
    record: JobRecord
    keys: dict[str, PipelineKey]  #: model → its pipeline, for every model the units need


class Executor:
    """Renders slices, one after the other."""

    def __init__(
        self,
        desk: Desk,
        archive: Archive,
        delivery: Delivery,
        pool: WarmPool,
        key_of: Callable[[str, Precision, Report], PipelineKey],
        loaded: Callable[[], None],
    ) -> None:
        """``loaded`` is called whenever another pipeline has become warm."""
        self._desk = desk
        self._archive = archive
        self._delivery = delivery
        self._pool = pool
        self._key_of = key_of
        self._loaded = loaded
        self.loads = 0  #: cold loads so far
        self.load_s: dict[str, float] = {}  #: model and precision → seconds its last load took
        self._record: JobRecord | None = None
        self._items = ItemReader(archive)
        self._opened: tuple[tuple[Picture, ...], list[Image.Image]] = ((), [])
        self._drawn: Drawn | None = None
        self.pace = Pace()

    def run(self, part: Slice) -> int:
        """Render a slice; returns the number of pictures handed to delivery.

        Faults are settled with the ledger here and do not escape, except WorkerBroken: then this
        process must be replaced.
        """
        if part.finish:
            self._delivery.conclude(part)
            return 0
        try:
            work = self._prepare(part)
        except Exception as error:  # noqa: BLE001 - the edge of the task: whatever is wrong with
            # this job is this job's, and a slice must never be kept without being worked on.
            self._settle_unprepared(part, error)
            return 0
        drawn = 0
        for unit in part.units:
            try:
                drawn += self._render_unit(work, unit)
            except Stopped as stop:
                log.info("slice %s of %s ends early: %s", part.fence, part.job_id, stop)
                self._hand_over()
                self._delivery.settle()
                self._desk.give_back(part)
                break
        self._hand_over()
        return drawn

    def _hand_over(self) -> None:
        """Send the last picture on its way, if it is not yet."""
        drawn, self._drawn = self._drawn, None
        if drawn:
            self._delivery.send(drawn)

    def _prepare(self, part: Slice) -> Work:
        def report(message: str, fraction: float) -> None:
            self._desk.note(part, message)

        record = self._fetch(part.job_id)
        self._open_all(record.job)
        names = dict.fromkeys(filter(None, map(record.job.model_of, part.units)))
        keys = {name: self._key_of(name, record.job.precision, report) for name in names}
        work = Work(part, record, keys)
        self._pipeline(work, part.units[0])  # a fault of loading it costs no attempt
        return work

    def _pipeline(self, work: Work, unit: int) -> Pipeline | None:
        """What draws a unit, warm by now; None for a film and a picture that was given."""
        name = work.record.job.model_of(unit)
        if name is None:
            return None
        if work.keys[name] not in self._pool.warm:
            self._load(work.part, work.keys[name])
        return self._pool.get(work.keys[name])

    def _load(self, part: Slice, key: PipelineKey) -> None:
        name, began = f"{key.model}.{key.precision}", time.monotonic()
        self._desk.note(part, f"loading {name}")
        self._pool.get(key)
        self.loads += 1
        self.load_s[name] = round(time.monotonic() - began, 3)
        self._loaded()

    def _open_all(self, job: Job) -> list[Image.Image]:
        """The input pictures of a job; units of one job mostly share theirs."""
        if job.pictures != self._opened[0]:
            self._opened = (job.pictures, [self._open(picture) for picture in job.pictures])
        return self._opened[1]

    def _fetch(self, job_id: str) -> JobRecord:
        """The job; kept for its next slice, since it never changes."""
        if self._record is None or self._record.id != job_id:
            self._record = self._archive.read_job(job_id)
        return self._record

    def _open(self, picture: Picture) -> Image.Image:
        image = Image.open(io.BytesIO(self._archive.read_input(picture)), formats=("PNG",))
        image.load()
        return image

    def _settle_unprepared(self, part: Slice, error: Exception) -> None:
        """No unit was begun: either the surroundings are at fault, or the whole slice is."""
        if isinstance(error, Environment | StoreUnreachable):
            self._desk.account(part, part.units[0], error)
            return
        for unit in part.units:
            self._delivery.account(part, unit, error)

    def _render_unit(self, work: Work, unit: int) -> int:
        """Draw one picture and hand it over; 0 when there was nothing to draw or it failed."""
        if work.part.attempts:
            # It may have killed a worker: nothing else of ours may be at risk beside it, and
            # the earlier attempt may have stored its picture.
            self._hand_over()
            self._delivery.settle()
        # First this, then the picture before: its delivery would take the interpreter away from us.
        self._desk.start(work.part, unit)
        self._hand_over()
        try:
            job = self._items.item(work.record, unit).job
            if work.part.attempts and self._delivery.adopt(work.part, unit, job):
                return 1
            if not isinstance(job, ZoomVideo):
                self._drawn = self._draw(work, unit, job)
            elif job.is_film(unit):
                self._cut(work, unit)
            else:
                self._drawn = self._draw_key_frame(work, unit)
            return 1
        except Stopped:
            raise
        except WorkerBroken as error:
            self._delivery.account(work.part, unit, error)
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the task: any fault of one
            # picture is that picture's, never the worker's or the next picture's.
            self._delivery.account(work.part, unit, error)
            return 0

    def _draw(self, work: Work, unit: int, job: Job) -> Drawn:
        image_and_mask = (*self._open_all(job), None, None)[:2]
        request = Request(job, (job.seed or 0,), *image_and_mask)
        pipeline = self._pool.get(work.keys[work.record.job.model])
        began = time.perf_counter()
        (image,) = pipeline.render(request, self._desk.watch(work.part, unit))
        seconds = time.perf_counter() - began
        self._learn(work, job, seconds)
        return Drawn(work.part, unit, job, image, pipeline.facts(request), seconds)

    def _learn(self, work: Work, drawing: Job, seconds: float) -> None:
        steps, cost = drawing.num_inference_steps or 1, megapixel_steps(drawing)
        self.pace.learn(str(work.record.lane), seconds, steps, cost)

    # -- zooms: imported when there is one, for they bring numpy and FFmpeg with them ---------

    @cached_property
    def _painter(self) -> Painter:
        from winepress_worker.zoom.painter import Painter

        return Painter(self._archive)

    @cached_property
    def _cutting_room(self) -> CuttingRoom:
        from winepress_worker.zoom.cutting_room import CuttingRoom

        return CuttingRoom(self._archive, self._desk.worker)

    def _draw_key_frame(self, work: Work, unit: int) -> Drawn:
        pipeline, pictures = self._pipeline(work, unit), self._open_all(work.record.job)
        on_step, began = self._desk.watch(work.part, unit), time.perf_counter()
        painted = self._painter.paint(work.record, work.part, unit, pipeline, pictures, on_step)
        seconds = time.perf_counter() - began
        if painted.drawing is not None:
            self._learn(work, painted.drawing, seconds)
        return Drawn(work.part, unit, painted.job, painted.image, painted.facts, seconds)

    def _cut(self, work: Work, unit: int) -> None:
        on_step = self._desk.watch(work.part, unit)
        row = self._cutting_room.cut(work.record, unit, work.part.attempts, on_step)
        self._delivery.settle()
        self._delivery.commit(work.part, unit, row)
