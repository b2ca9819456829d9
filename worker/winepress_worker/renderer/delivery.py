"""Encodes, stores and counts drawn pictures while the next one is being drawn."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from PIL import Image

from winepress_shared.archive import Archive, Output, Result, output_key
from winepress_shared.jobs.job import Job
from winepress_shared.lane import FILM
from winepress_shared.ledger.records import Slice, UnitOutcome
from winepress_shared.metadata import PictureFacts, encode
from winepress_shared.result import fit_warnings
from winepress_shared.tracing import Kind
from winepress_worker.renderer.lease_client import LeaseClient
from winepress_worker.renderer.slice_traces import SliceTraces
from winepress_worker.renderer.store_outage import StoreOutage

log = logging.getLogger(__name__)

T = TypeVar("T")

_IN_FLIGHT = 2  #: drawing waits for so many pictures, or for as many as a call has, to be stored
_MOST_WAITING = 256 * 2**20  #: bytes of pictures that may wait for a store that is away
_LOOK_S = 0.5  #: between two looks whether there is room
_CHANNELS = 3  #: bytes of a pixel


@dataclass(frozen=True)
class Drawn:
    """One picture on its way to the store."""

    slice: Slice
    unit: int
    job: Job  #: of this one picture
    image: Image.Image
    facts: PictureFacts
    render_s: float
    batch: int = 1  #: pictures drawn in the same call
    warnings: tuple[str, ...] = ()  #: what was asked for and ignored


@dataclass(frozen=True)
class Stored:
    """A film, or whatever else its renderer has stored itself."""

    slice: Slice
    unit: int
    row: dict[str, Any]  #: to be counted for it, see `Output`


Rendered = Drawn | Stored


def _size_of(rendered: Rendered) -> int:
    """Bytes of a picture that waits."""
    if isinstance(rendered, Stored):
        return 0
    return rendered.image.width * rendered.image.height * _CHANNELS


class Delivery:
    """Encodes, stores and commits in one background thread, in order."""

    def __init__(
        self,
        lease_client: LeaseClient,
        archive: Archive,
        leave_ticket: Callable[[str], None],
        traces: SliceTraces | None = None,
    ) -> None:
        """``leave_ticket`` is called with the lane to which the last unit of a job has moved."""
        self._leave_ticket = leave_ticket
        self._lease_client = lease_client
        self._archive = archive
        self._traces = traces or SliceTraces()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="delivery")
        self._pending: deque[tuple[Future[None], int]] = deque()  # with the bytes of each
        self._outage = StoreOutage()

    def send(self, rendered: Sequence[Rendered]) -> None:
        """Hand over what one call rendered; waits first while more are still on their way."""
        self._lease_client.rest()
        while rendered and self._is_full(len(rendered)):
            self._await_first(_LOOK_S)  # an outage may begin meanwhile, which leaves more room
        for one in rendered:
            self._enqueue(one.slice, one.unit, partial(self._deliver, one), _size_of(one))

    def _is_full(self, count: int) -> bool:
        """Whether drawing must wait; during an outage of the store it may get further ahead."""
        if len(self._pending) < max(_IN_FLIGHT, count):
            return False
        waiting = sum(size for future, size in self._pending if not future.done())
        return not self._outage.is_on or waiting >= _MOST_WAITING

    def _await_first(self, timeout_s: float | None = None) -> None:
        ended, _ = wait([self._pending[0][0]], timeout_s)
        if not ended:
            return
        self._pending.popleft()[0].result()
        if not self._pending:
            self._outage.begin_anew()

    def outlast(self, slice_: Slice, call: Callable[[], T]) -> T:
        """The answer of ``call``, which stores something of a slice; see `StoreOutage`."""
        return self._outage.outlast(call, lambda: self._lease_client.wants(slice_))

    @property
    def is_busy(self) -> bool:
        """True while something handed over may not be counted yet."""
        return bool(self._pending)

    def settle(self) -> None:
        """Wait until everything handed over is stored and counted, or accounted for."""
        self._lease_client.rest()
        while self._pending:
            self._await_first()

    def conclude(self, slice_: Slice) -> None:
        """Write the job's result after its last unit has ended, then end the job."""
        self._enqueue(
            slice_, -1, lambda: self._write_result(slice_, self._lease_client.outputs(slice_))
        )

    def adopt(self, slice_: Slice, unit: int, job: Job) -> bool:
        """Count the object an earlier attempt left in the store; False when there is none."""
        row = self._archive.whole_output(output_key(slice_.job_id, unit, job.output_format))
        if row is None:
            return False
        self.commit(slice_, unit, row, is_mine=False)
        return True

    def _enqueue(self, slice_: Slice, unit: int, act: Callable[[], None], size: int = 0) -> None:
        def guarded() -> None:
            try:
                act()
            except Exception as error:  # noqa: BLE001 - the edge of the task: a fault here is
                # settled with this unit, and is not raised again in the thread that waits.
                self.account(slice_, unit, error)

        self._pending.append((self._thread.submit(guarded), size))

    def account(self, slice_: Slice, unit: int, error: Exception) -> None:
        """Settle a failed attempt with the ledger; see `LeaseClient.account`."""
        self._traces.failed(slice_, error)
        with self._traces.within([slice_], unit):
            outcome = self._lease_client.account(slice_, unit, error)
        if outcome is UnitOutcome.LAST:
            self.conclude(slice_)

    def end_spans(self, slices: Sequence[Slice]) -> None:
        """End the spans of slices once all that was handed over of them is settled."""
        if self._traces.tracer.is_on:
            self._thread.submit(self._traces.end, slices)

    def _deliver(self, rendered: Rendered) -> None:
        with self._traces.within([rendered.slice], rendered.unit):
            if isinstance(rendered, Stored):
                self.commit(rendered.slice, rendered.unit, rendered.row)
            else:
                self._store(rendered)

    def _store(self, drawn: Drawn) -> None:
        job = drawn.job
        told = {"winepress.unit": drawn.unit}
        with self._traces.span("encode", told | {"winepress.format": job.output_format}):
            data = encode(drawn.image, job, drawn.facts)
        key = output_key(drawn.slice.job_id, drawn.unit, job.output_format)
        output = Output(
            unit=drawn.unit,
            key=key,
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            seed=job.seed or 0,
            width=drawn.image.width,
            height=drawn.image.height,
            device=drawn.facts.device,
            worker=self._lease_client.worker,
            render_s=round(drawn.render_s, 3),
            attempts=drawn.slice.attempts + 1,
            batch=drawn.batch,
            warnings=fit_warnings(drawn.warnings),
        )
        row = output.row()
        with self._traces.span("store", told | {"winepress.bytes": len(data)}, Kind.CLIENT):
            mine = self.outlast(drawn.slice, lambda: self._archive.write_output(key, data, row))
        if mine or not self.adopt(drawn.slice, drawn.unit, job):
            self.commit(drawn.slice, drawn.unit, row)

    def commit(
        self, slice_: Slice, unit: int, row: dict[str, Any], *, is_mine: bool = True
    ) -> None:
        """Count an object that is in the store; the last one of a job ends it."""
        outcome = self._lease_client.commit(slice_, unit, row, is_mine=is_mine)
        if outcome is UnitOutcome.LAST and slice_.job_units == 1:
            self._write_result(slice_, {unit: row})  # the ledger would say the same
        elif outcome is UnitOutcome.LAST:
            self._write_result(slice_, self._lease_client.outputs(slice_))
        elif outcome is UnitOutcome.MOVED:
            self._leave_ticket(FILM)

    def _write_result(self, slice_: Slice, rows: dict[int, dict[str, Any]]) -> None:
        result = Result.from_units(slice_.job_id, rows)
        self.outlast(slice_, lambda: self._archive.write_result(result))
        reason = ""
        if result.failures:
            first = result.failures[0]
            total = len(result.outputs) + len(result.failures)
            reason = f"{len(result.failures)} of {total} pictures failed: {first.message}"
        self._lease_client.finish(slice_, reason)
