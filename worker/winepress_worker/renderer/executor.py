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
    LaterVersion,
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
from winepress_worker.renderer.slice_traces import SliceTraces
from winepress_worker.renderer.work import SliceWork, UnitWork

log = logging.getLogger(__name__)

#: Whether another lane goes before the rest of a slice that was worked on for so many seconds.
CallsAway = Callable[[Slice, float], bool]


class Executor:
    """Executes slices, those of one claim together."""

    def __init__(
        self,
        lease_client: LeaseClient,
        delivery: Delivery,
        reader: SliceReader,
        renderers: Mapping[type[Job], JobRenderer],
        calls_away: CallsAway,
        traces: SliceTraces | None = None,
    ) -> None:
        """``renderers`` has an entry for each kind of job, see `job_renderers`."""
        self._leases = lease_client
        self._delivery = delivery
        self._reader = reader
        self._renderers = renderers
        self._calls_away = calls_away
        self._traces = traces or SliceTraces()

    def run(self, *slices: Slice) -> int:
        """Render slices of one claim; returns the number of units rendered and handed to delivery.

        Faults are settled with the ledger here and do not escape, except WorkerBroken: then this
        process must be replaced.
        """
        try:
            works = [work for slice_ in slices if (work := self._prepared(slice_))]
            parts = (self._leases, self._delivery, self._renderers, self._calls_away, self._traces)
            return _Execution(*parts).run(works)
        finally:
            self._delivery.end_spans(slices)

    def _prepared(self, slice_: Slice) -> SliceWork | None:
        """A slice that can be rendered; None where it ends here, with its job or by a fault."""
        if slice_.finish:
            self._delivery.conclude(slice_)
            return None
        try:
            work = self._reader.read(slice_)
            renderer = self._renderers.get(type(work.record.job))
            if renderer is None:
                raise FailForGood("this worker renders no such jobs", value=work.record.job.kind)
            with self._traces.within([slice_]):
                renderer.prepare(work)
        except Exception as error:  # the edge of the task: whatever is wrong with this job is
            # settled with this job, and a slice is never kept without being worked on.
            self._delivery.settle()
            _settle(self._delivery, slice_, slice_.units, error)
            if isinstance(error, WorkerBroken):
                raise
            return None
        return work


class _Execution:
    """Renders slices whose models are loaded. A call may take units of several of them."""

    def __init__(
        self,
        lease_client: LeaseClient,
        delivery: Delivery,
        renderers: Mapping[type[Job], JobRenderer],
        calls_away: CallsAway,
        traces: SliceTraces,
    ) -> None:
        self._leases = lease_client
        self._delivery = delivery
        self._renderers = renderers
        self._calls_away = calls_away
        self._traces = traces
        self._began_at = time.monotonic()
        self._left: list[UnitWork] = []  #: not rendered, of slices that go on
        self._rendered: list[Rendered] = []  #: not handed over yet

    def run(self, works: Sequence[SliceWork]) -> int:
        count, self._left = 0, [unit for work in works for unit in work.units]
        try:
            while self._left:
                count += self._render_next(self._left[0])
        finally:
            self._hand_over()
        return count

    def _render_next(self, first: UnitWork) -> int:
        """Render the first unit left and those that share a call with it, or end its slice."""
        renderer = self._renderers[type(first.work.record.job)]
        try:
            call = renderer.next_call(self._left)
            units = self._left[: len(call.jobs)] if call else [first]
            if not self._begin(units):
                return 0
            # Begin first, then deliver what was drawn before: encoding holds the interpreter lock.
            self._hand_over()
            if call:
                return self._render_together(units, renderer, call)
            return self._render_alone(first, renderer)
        except (BrokerUnreachable, WorkerBroken):
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the task: nothing that a job holds
            # may leave its slice in the hands of a process that works on it no more.
            self._end(first.work, error)
            return 0

    def _begin(self, units: Sequence[UnitWork]) -> bool:
        """Begin units; False where a slice ended instead: then the rest must be planned anew."""
        first = units[0].slice
        if first.alone:
            # It may have killed a worker: no other picture may be at risk beside it, and the
            # earlier attempt may have stored its picture.
            self._hand_over(settle=True)
        stops, is_called = self._leases.start([(unit.slice, unit.number) for unit in units])
        if is_called and self._calls_away(first, time.monotonic() - self._began_at):
            self._end_all("a higher priority waits in another lane")
            return False
        for unit in units:
            if unit.slice.fence in stops:
                self._end(unit.work, stops[unit.slice.fence])
        return not stops

    def _render_together(self, units: Sequence[UnitWork], renderer: JobRenderer, call: Call) -> int:
        """Render units in one call; each by itself when that fails or would change them."""
        try:
            rendered = self._draw(units, renderer, call)
        except Stopped as error:
            for unit in units:
                self._end(unit.work, error)
            return 0
        if not rendered:
            return sum(self._render_apart(unit, renderer) for unit in units)
        self._left = self._left[len(units) :]
        self._rendered += [one for one in rendered if self._leases.holds(one.slice)]
        return len(units)

    def _render_apart(self, unit: UnitWork, renderer: JobRenderer) -> int:
        count = self._render_alone(unit, renderer) if unit in self._left else 0
        self._hand_over()
        return count

    def _render_alone(self, unit: UnitWork, renderer: JobRenderer) -> int:
        """Render a unit that was begun; returns 0 when it failed, or its slice ended."""
        try:
            if not (unit.slice.alone and self._adopt(unit)):
                self._rendered += self._draw((unit,), renderer, None)
            self._left.remove(unit)
            return 1
        except Stopped as error:
            self._end(unit.work, error)
        except WorkerBroken as error:
            self._delivery.account(unit.slice, unit.number, error)
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the task: any fault of one
            # picture is that picture's, never the worker's or the next picture's.
            self._left.remove(unit)
            if isinstance(seen_through(error), EnvironmentFault):
                self._hand_over(settle=True)  # it counts before the slice is given back
                self._delivery.account(unit.slice, unit.number, error)
                self._end_all("its worker left the lane over a neighbour")
            else:
                self._delivery.account(unit.slice, unit.number, error)
        return 0

    def _draw(
        self, units: Sequence[UnitWork], renderer: JobRenderer, call: Call | None
    ) -> Sequence[Rendered]:
        told = {"winepress.unit": units[0].number, "winepress.pictures": len(units)}
        with (
            self._traces.within(
                [unit.slice for unit in units], units[0].number if len(units) == 1 else None
            ),
            self._traces.span("render", told),
        ):
            return renderer.draw(units, call)

    def _adopt(self, unit: UnitWork) -> bool:
        return self._delivery.adopt(unit.slice, unit.number, unit.job)

    def _hand_over(self, *, settle: bool = False) -> None:
        """Hand what was rendered last to delivery, if it is not there yet; may wait for it."""
        rendered, self._rendered = self._rendered, []
        self._delivery.send(rendered)
        if settle:
            self._delivery.settle()

    def _end_all(self, why: str) -> None:
        """Give back every slice that has units left."""
        for unit in list(self._left):
            self._end(unit.work, YieldRequested(why))

    def _end(self, work: SliceWork, error: Exception) -> None:
        """End a slice before its last unit, if it goes on until now."""
        mine = [unit.number for unit in self._left if unit.work is work]
        self._left = [unit for unit in self._left if unit.work is not work]
        if not mine:
            return
        with self._traces.within([work.slice]):
            log.info("slice %s of %s ends early: %s", work.slice.fence, work.slice.job_id, error)
        self._hand_over(settle=True)
        if isinstance(error, Stopped):
            self._leases.give_back(work.slice)
        else:
            _settle(self._delivery, work.slice, mine, error)


def _settle(delivery: Delivery, slice_: Slice, units: Sequence[int], error: Exception) -> None:
    """Account for ``units`` that cannot be rendered: their surroundings are at fault, or they are.

    A fault of the surroundings gives the whole slice back, so it is accounted for once.
    """
    is_around = isinstance(seen_through(error), EnvironmentFault | StoreUnreachable | LaterVersion)
    for unit in units[:1] if is_around else units:
        delivery.account(slice_, unit, error)
