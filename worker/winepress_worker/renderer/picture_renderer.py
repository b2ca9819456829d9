"""Draws plain pictures: alike ones in one call of a pipeline, where that pays."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from PIL import Image

from winepress_shared.cost import megapixel_steps
from winepress_shared.errors import FailForGood, Stopped, StoreUnreachable, WorkerBroken
from winepress_shared.metadata import PictureFacts
from winepress_worker.engines.base import Request
from winepress_worker.renderer.batching import Batching
from winepress_worker.renderer.call_size import Call
from winepress_worker.renderer.delivery import Drawn
from winepress_worker.renderer.lease_client import LeaseClient
from winepress_worker.renderer.pace import Pace
from winepress_worker.renderer.work import SliceWork, UnitWork

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Rendered:
    """What came of one call of a pipeline."""

    images: list[Image.Image]  #: those of the call's jobs, then that of its sample
    facts: PictureFacts
    seconds: float


class PictureRenderer:
    """Draws the pictures of jobs and of the items of batches."""

    def __init__(self, lease_client: LeaseClient, batching: Batching, pace: Pace) -> None:
        self._leases = lease_client
        self._batching = batching
        self._pace = pace

    def prepare(self, work: SliceWork) -> None:
        """Load the model of the lane, and the refiner of the first picture if it has one."""
        work.pipelines.load(work.record.job)
        with suppress(FailForGood):  # a damaged item, which its own turn will settle
            work.pipelines.load(work.units[0].job)

    def next_call(self, units: Sequence[UnitWork]) -> Call | None:
        """As many pictures as are alike and pay; one that was begun before is drawn alone."""
        if units[0].slice.alone:
            return None
        jobs = (unit.job for unit in units)
        try:
            call = self._batching.plan(jobs, units[0].work.pipelines.free_bytes)
        except (StoreUnreachable, FailForGood):
            return None  # the turn of the unit at fault will find out and settle it
        return call if len(call.jobs) > 1 or call.sample else None

    def draw(self, units: Sequence[UnitWork], call: Call | None) -> Sequence[Drawn]:
        """Draw pictures; none comes back when they must be drawn one by one."""
        if call is None:
            return self._draw_alone(units[0])
        try:
            rendered = self._render(units, call)
        except (Stopped, WorkerBroken):
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the task: one picture is at fault,
            # and drawing each by itself says which one.
            log.warning("%d pictures are drawn one by one: %s", len(units), error)
            self._batching.fail(call)
            return ()
        if call.sample and not self._batching.prove(call, rendered.images.pop()):
            log.info("%d pictures in a call come out otherwise than one", call.number)
            return ()
        self._batching.learn(call, rendered.seconds, rendered.images)
        return _drawn(units, rendered, call.number, rendered.seconds / call.number)

    def _draw_alone(self, unit: UnitWork) -> Sequence[Drawn]:
        call = self._batching.alone(unit.job)
        rendered = self._render((unit,), call)
        self._batching.learn_alone(unit.job, rendered.images[0], rendered.seconds)
        return _drawn((unit,), rendered, call.number, rendered.seconds)

    def _render(self, units: Sequence[UnitWork], call: Call) -> _Rendered:
        """Call the pipeline; the last unit of each slice is said to be in hand meanwhile."""
        work = units[0].work
        jobs, pipelines = call.drawn, work.pipelines
        image_and_mask = (*work.inputs.of(jobs[0]), None, None)[:2]
        request = Request.together(jobs, *image_and_mask)
        if jobs[0].preview_every:
            request = replace(
                request, on_preview=self._leases.previews.of(work.slice, units[0].number)
            )
        steps, cost = jobs[0].num_inference_steps or 1, megapixel_steps(jobs[0])
        lane, is_first = str(work.record.lane), not pipelines.is_warm(jobs[0])
        limit = self._pace.limit(lane, cost * len(jobs))
        if is_first:  # it compiles too, which takes as long as it takes
            limit = replace(limit, seconds=None)
        began = time.perf_counter()
        on_step = self._leases.watch(*((unit.slice, unit.number) for unit in units))
        images = pipelines.render(request, limit.watching(on_step))
        seconds = time.perf_counter() - began
        self._pace.learn(lane, seconds, steps, cost, len(jobs), is_first=is_first)
        return _Rendered(images[: len(jobs) - call.filled], pipelines.facts(request), seconds)


def _drawn(
    units: Sequence[UnitWork], rendered: _Rendered, number: int, each_s: float
) -> Sequence[Drawn]:
    """The pictures of the units, drawn in a call of ``number``; each is said to take ``each_s``."""
    return [
        Drawn(
            slice=unit.slice,
            unit=unit.number,
            job=unit.job,
            image=image,
            facts=rendered.facts,
            render_s=each_s,
            batch=number,
            warnings=(*unit.warnings, *units[0].work.pipelines.unread(unit.job)),
        )
        for unit, image in zip(units, rendered.images, strict=True)
    ]
