"""Executes slices: begins their units, has them rendered, and settles whatever goes wrong.

Knows no Celery, no S3, no OpenVINO, and no kind of job.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from winepress_shared.errors import (
    BrokerUnreachable,
    EnvironmentFault,
    FailForGood,
    Stopped,
    StoreUnreachable,
    WorkerBroken,
    YieldRequested,
)
from winepress_shared.jobs.job import Job
from winepress_shared.ledger.records import Slice
from winepress_worker.os_fault import seen_through
from winepress_worker.renderer.call_size import Call
from winepress_worker.renderer.delivery import Delivery, Rendered
from winepress_worker.renderer.job_renderers import JobRenderer
from winepress_worker.renderer.lease_client import LeaseClient
from winepress_worker.renderer.slice_reader import SliceReader
from winepress_worker.renderer.work import SliceWork

log = logging.getLogger(__name__)

#: Whether another lane goes before the rest of a slice that was worked on for so many seconds.
CallsAway = Callable[[Slice, float], bool]


class Executor:
    """Executes slices, one after the other."""

    def __init__(
        self,
        lease_client: LeaseClient,
        delivery: Delivery,
        reader: SliceReader,
        renderers: Mapping[type[Job], JobRenderer],
        calls_away: CallsAway,
    ) -> None:
        """``renderers`` has an entry for each kind of job, see `job_renderers`."""
        self._leases = lease_client
        self._delivery = delivery
        self._reader = reader
        self._renderers = renderers
        self._calls_away = calls_away

    def run(self, slice_: Slice) -> int:
        """Render a slice; returns the number of units that were rendered and handed to delivery.

        Faults are settled with the ledger here and do not escape, except WorkerBroken: then this
        process must be replaced.
        """
        if slice_.finish:
            self._delivery.conclude(slice_)
            return 0
        try:
            work, renderer = self._prepare(slice_)
        except Exception as error:  # the edge of the task: whatever is wrong with this job is
            # settled with this job, and a slice is never kept without being worked on.
            self._delivery.settle()
            _settle(self._delivery, slice_, slice_.units, error)
            if isinstance(error, WorkerBroken):
                raise
            return 0
        return _Execution(self._leases, self._delivery, work, renderer, self._calls_away).run()

    def _prepare(self, slice_: Slice) -> tuple[SliceWork, JobRenderer]:
        work = self._reader.read(slice_)
        renderer = self._renderers.get(type(work.record.job))
        if renderer is None:
            raise FailForGood("this worker renders no such jobs", value=work.record.job.kind)
        renderer.prepare(work)
        return work, renderer


class _Execution:
    """One slice whose models are loaded."""

    def __init__(
        self,
        lease_client: LeaseClient,
        delivery: Delivery,
        work: SliceWork,
        renderer: JobRenderer,
        calls_away: CallsAway,
    ) -> None:
        self._leases = lease_client
        self._delivery = delivery
        self._work = work
        self._slice = work.slice
        self._renderer = renderer
        self._calls_away = calls_away
        self._began_at = time.monotonic()
        self._rendered: list[Rendered] = []  #: not handed over yet

    def run(self) -> int:
        count, left = 0, self._slice.units
        try:
            while left:
                call = self._renderer.next_call(self._work, left)
                units = left[: len(call.jobs)] if call else left[:1]
                count += self._render_together(units, call) if call else self._render(units[0])
                left = left[len(units) :]
        except (BrokerUnreachable, WorkerBroken):
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the task: nothing that a job holds
            # may leave its slice in the hands of a process that works on it no more.
            self._end(left, error)
        finally:
            self._hand_over()
        return count

    def _render(self, unit: int) -> int:
        """Render one unit by itself; returns 0 when it failed."""
        if self._slice.attempts:
            # It may have killed a worker: no other picture may be at risk beside it, and the
            # earlier attempt may have stored its picture.
            self._hand_over(settle=True)
        # Begin first, then deliver the picture before: encoding it holds the interpreter lock.
        self._begin(unit)
        self._hand_over()
        return self._render_begun(unit)

    def _render_together(self, units: Sequence[int], call: Call) -> int:
        """Render units in one call; each by itself when that fails or would change them."""
        self._begin(units[0])  # alone, for it may be called away
        self._begin(*units[1:])
        self._hand_over()
        resolved = [self._work.unit(unit) for unit in units]
        rendered = self._renderer.draw(self._work, resolved, call)
        if not rendered:
            return sum(map(self._render_apart, units))
        self._rendered += rendered
        return len(units)

    def _render_apart(self, unit: int) -> int:
        count = self._render_begun(unit)
        self._hand_over()
        return count

    def _render_begun(self, number: int) -> int:
        try:
            unit = self._work.unit(number)
            if self._slice.attempts and self._delivery.adopt(self._slice, number, unit.job):
                return 1
            self._rendered += self._renderer.draw(self._work, (unit,), None)
            return 1
        except Stopped:
            raise
        except WorkerBroken as error:
            self._delivery.account(self._slice, number, error)
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the task: any fault of one
            # picture is that picture's, never the worker's or the next picture's.
            if isinstance(seen_through(error), EnvironmentFault):
                self._hand_over(settle=True)  # it counts before the slice is given back
            self._delivery.account(self._slice, number, error)
            return 0

    def _begin(self, *units: int) -> None:
        """Begin units; raises Stopped where the slice ends before them."""
        is_called = self._leases.start(self._slice, *units)
        if is_called and self._calls_away(self._slice, time.monotonic() - self._began_at):
            raise YieldRequested("a higher priority waits in another lane")

    def _hand_over(self, *, settle: bool = False) -> None:
        """Hand what was rendered last to delivery, if it is not there yet; may wait for it."""
        rendered, self._rendered = self._rendered, []
        for one in rendered:
            self._delivery.send(one)
        if settle:
            self._delivery.settle()

    def _end(self, left: Sequence[int], error: Exception) -> None:
        """End the slice before its last unit."""
        log.info("slice %s of %s ends early: %s", self._slice.fence, self._slice.job_id, error)
        self._hand_over(settle=True)
        if isinstance(error, Stopped):
            self._leases.give_back(self._slice)
        else:
            _settle(self._delivery, self._slice, left, error)


def _settle(delivery: Delivery, slice_: Slice, units: Sequence[int], error: Exception) -> None:
    """Account for ``units`` that cannot be rendered: their surroundings are at fault, or they are.

    A fault of the surroundings gives the whole slice back, so it is accounted for once.
    """
    is_around = isinstance(seen_through(error), EnvironmentFault | StoreUnreachable)
    for unit in units[:1] if is_around else units:
        delivery.account(slice_, unit, error)
