"""Rendering one slice: a short pipeline of named steps. Knows no Celery, no S3, no OpenVINO."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from PIL import Image

from winepress_shared.archive import Archive, JobRecord
from winepress_shared.cost import megapixel_steps
from winepress_shared.errors import (
    BrokerUnreachable,
    EnvironmentFault,
    FailForGood,
    ObjectMissing,
    Stopped,
    StoreUnreachable,
    WorkerBroken,
    YieldRequested,
)
from winepress_shared.items import ItemReader
from winepress_shared.jobs.job import Job
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.lane import Precision
from winepress_shared.ledger.records import Slice
from winepress_shared.metadata import PictureFacts
from winepress_worker.engines.base import PipelineKey, Request
from winepress_worker.os_fault import seen_through
from winepress_worker.pipelines.by_model import PipelinesByModel
from winepress_worker.pipelines.refined import StagedPipeline
from winepress_worker.pipelines.warm_pool import WarmPool
from winepress_worker.renderer.batching import Batching, Call
from winepress_worker.renderer.delivery import Delivery, Drawn
from winepress_worker.renderer.input_pictures import InputPictures
from winepress_worker.renderer.lease_client import LeaseClient
from winepress_worker.renderer.pace import Pace
from winepress_worker.renderer.work import Work
from winepress_worker.renderer.zoom_units import ZoomUnits
from winepress_worker.report import Report

log = logging.getLogger(__name__)


class Executor:
    """Renders slices, one after the other."""

    def __init__(
        self,
        lease_client: LeaseClient,
        archive: Archive,
        delivery: Delivery,
        pool: WarmPool,
        key_of: Callable[[str, Precision, Report], PipelineKey],
        loaded: Callable[[], None],
        batching: Batching,
        calls_away: Callable[[Slice, float], bool] = lambda part, drawn_s: False,
    ) -> None:
        """``loaded`` is called whenever another pipeline has become warm.

        ``calls_away`` says whether another lane goes before the rest of a slice drawn for so long.
        """
        self._leases = lease_client
        self._archive = archive
        self._delivery = delivery
        self._pool = pool
        self._key_of = key_of
        self._loaded = loaded
        self._calls_away = calls_away
        self._began_at = 0.0  #: when the first unit of the slice could be begun
        self._record: JobRecord | None = None
        self._items = ItemReader(archive)
        self._inputs = InputPictures(archive)
        self._drawn: list[Drawn] = []
        self.batching = batching
        self.pace = Pace()
        self._zoom_units = ZoomUnits(lease_client, archive, delivery, self.pace)

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
        except Exception as error:  # the edge of the task: whatever is wrong with this job is
            # this job's, and a slice must never be kept without being worked on.
            self._delivery.settle()
            self._settle(part, part.units, error)
            if isinstance(error, WorkerBroken):
                raise
            return 0
        drawn, left, self._began_at = 0, part.units, time.monotonic()
        while left:
            try:
                call = self._next_call(work, left)
                units = left[: len(call.jobs)]
                if len(call.jobs) > 1 or call.sample:
                    drawn += self._render_together(work, units, call)
                else:
                    drawn += self._render_unit(work, units[0])
                left = left[len(units) :]
            except (BrokerUnreachable, WorkerBroken):
                raise
            except Exception as error:  # noqa: BLE001 - the edge of the task: nothing that a job
                # holds may leave its slice in the hands of a process that works on it no more.
                self._end(part, left, error)
                break
        self._hand_over()
        return drawn

    def _hand_over(self, *, settle: bool = False) -> None:
        """Send the pictures drawn last on their way, if they are not yet; may wait for them."""
        drawn, self._drawn = self._drawn, []
        for one in drawn:
            self._delivery.send(one)
        if settle:
            self._delivery.settle()

    def _prepare(self, part: Slice) -> Work:
        record = self._fetch(part.job_id)
        self._inputs.of(record.job)

        def key_of(model: str, precision: Precision) -> PipelineKey:
            return self._key_of(model, precision, lambda text, _: self._leases.note(part, text))

        if isinstance(record.job, ZoomVideo):
            pipelines = PipelinesByModel(self._pool, key_of, lambda key: self._load(part, key))
            self._zoom_units.prepare(record.job, part.units, pipelines)
            return Work(part, record, pipelines)
        key = key_of(record.job.model, record.job.precision)
        if key not in self._pool.warm:
            self._load(part, key)
        pipeline = StagedPipeline(self._pool.get(key), self._pool, key_of)
        with suppress(FailForGood):  # of one damaged item: its own turn will settle it
            pipeline.warm_refiner(self._items.item(record, part.units[0]).job)
        return Work(part, record, pipeline)

    def _load(self, part: Slice, key: PipelineKey) -> None:
        self._leases.note(part, f"loading {key.model}.{key.precision}")
        self._pool.get(key)
        self._loaded()

    def _fetch(self, job_id: str) -> JobRecord:
        """The job; kept for its next slice, since it never changes."""
        if self._record is None or self._record.id != job_id:
            try:
                self._record = self._archive.read_job(job_id)
            except ObjectMissing:
                if not self._archive.has_jobs:
                    raise  # of nobody: a shared folder is not mounted here, for example
                raise FailForGood("never accepted, or lost: its job.json is gone") from None
        return self._record

    def _end(self, part: Slice, left: Sequence[int], error: Exception) -> None:
        """End a slice before its last unit."""
        log.info("slice %s of %s ends early: %s", part.fence, part.job_id, error)
        self._hand_over(settle=True)
        if isinstance(error, Stopped):
            self._leases.give_back(part)
        else:
            self._settle(part, left, error)

    def _settle(self, part: Slice, units: Sequence[int], error: Exception) -> None:
        """None of ``units`` can be drawn: the surroundings are at fault, or all of them are."""
        is_around = isinstance(seen_through(error), EnvironmentFault | StoreUnreachable)
        for unit in units[:1] if is_around else units:
            self._delivery.account(part, unit, error)

    def _render_unit(self, work: Work, unit: int) -> int:
        """Draw one picture and hand it over; 0 when there was nothing to draw or it failed."""
        if work.part.attempts:
            # It may have killed a worker: nothing else of ours may be at risk beside it, and
            # the earlier attempt may have stored its picture.
            self._hand_over(settle=True)
        # First this, then the picture before: its delivery would take the interpreter away from us.
        self._begin(work.part, unit)
        self._hand_over()
        return self._render_begun(work, unit)

    def _begin(self, part: Slice, *units: int) -> None:
        """Begin units; raises Stopped where the slice ends before them."""
        is_called = self._leases.start(part, *units)
        if is_called and self._calls_away(part, time.monotonic() - self._began_at):
            raise YieldRequested("a better band waits in another lane")

    def _render_begun(self, work: Work, unit: int) -> int:
        try:
            item = self._items.item(work.record, unit)
            job = item.job
            if work.part.attempts and self._delivery.adopt(work.part, unit, job):
                return 1
            if isinstance(job, ZoomVideo) and job.is_film(unit):
                self._zoom_units.cut(work.part, work.record, unit)
                return 1
            drawn = self._draw(work, unit, job)
            self._drawn.append(replace(drawn, warnings=(*item.warnings, *drawn.warnings)))
            return 1
        except Stopped:
            raise
        except WorkerBroken as error:
            self._delivery.account(work.part, unit, error)
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the task: any fault of one
            # picture is that picture's, never the worker's or the next picture's.
            if isinstance(seen_through(error), EnvironmentFault):
                self._hand_over(settle=True)  # it counts before the slice is given back
            self._delivery.account(work.part, unit, error)
            return 0

    def _draw(self, work: Work, unit: int, job: Job) -> Drawn:
        if isinstance(work.pipeline, PipelinesByModel):
            pictures = self._inputs.of(work.record.job)
            return self._zoom_units.draw(work.part, work.record, unit, work.pipeline, pictures)
        call = self.batching.alone(job)
        (image,), facts, seconds = self._render(work, unit, call)
        self.batching.learn_alone(job, image, seconds)
        unread = work.pipeline.unread(job)
        return Drawn(work.part, unit, job, image, facts, seconds, call.number, warnings=unread)

    def _render(
        self, work: Work, unit: int, call: Call
    ) -> tuple[list[Image.Image], PictureFacts, float]:
        """One call of the pipeline: its pictures, how they were made, seconds it took.

        The pictures are those of its jobs, then that of its sample.
        """
        jobs = call.drawn
        image_and_mask = (*self._inputs.of(jobs[0]), None, None)[:2]
        request = Request.together(jobs, *image_and_mask)
        if jobs[0].preview_every:
            request = replace(request, on_preview=self._leases.previews.of(work.part, unit))
        steps, cost = jobs[0].num_inference_steps or 1, megapixel_steps(jobs[0])
        lane, is_first = str(work.record.lane), not work.is_warm
        limit = self.pace.limit(lane, cost * len(jobs))
        if is_first:  # it compiles too, which takes as long as it takes
            limit = replace(limit, seconds=None)
        began = time.perf_counter()
        images = work.pipeline.render(request, limit.watching(self._leases.watch(work.part, unit)))
        seconds = time.perf_counter() - began
        self.pace.learn(lane, seconds, steps, cost, len(jobs), is_first=is_first)
        return images[: len(jobs) - call.filled], work.pipeline.facts(request), seconds

    def _next_call(self, work: Work, units: Sequence[int]) -> Call:
        """The next pictures to be drawn in one call; one that was begun before is alone in it."""
        jobs = (self._items.item(work.record, unit).job for unit in units)
        if work.part.attempts or isinstance(work.record.job, ZoomVideo):
            return Call((work.record.job,))
        try:
            return self.batching.plan(jobs, self._pool.free_bytes)
        except (StoreUnreachable, FailForGood):
            return Call((work.record.job,))  # its own turn will find out and settle it

    def _render_together(self, work: Work, units: Sequence[int], call: Call) -> int:
        """Draw pictures in one call; each by itself when it fails or would change them."""
        self._begin(work.part, units[0])  # alone, for it may be called away
        self._begin(work.part, *units[1:])
        self._hand_over()
        try:
            images, facts, seconds = self._render(work, units[-1], call)
        except (Stopped, WorkerBroken):
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the task: one picture is at fault,
            # and drawing each by itself says which one.
            log.warning("%d pictures are drawn one by one: %s", len(units), error)
            self.batching.fail(call)
            return self._render_apart(work, units)
        if call.sample and not self.batching.prove(call, images.pop()):
            log.info("%d pictures in a call come out otherwise than one", call.number)
            return self._render_apart(work, units)
        self.batching.learn(call, seconds, images)
        share_s = seconds / call.number
        self._drawn += [
            Drawn(
                part=work.part,
                unit=unit,
                job=job,
                image=image,
                facts=facts,
                render_s=share_s,
                batch=call.number,
                warnings=self._items.item(work.record, unit).warnings + work.pipeline.unread(job),
            )
            for unit, job, image in zip(units, call.jobs, images, strict=True)
        ]
        return len(units)

    def _render_apart(self, work: Work, units: Sequence[int]) -> int:
        drawn = 0
        for unit in units:
            drawn += self._render_begun(work, unit)
            self._hand_over()
        return drawn
