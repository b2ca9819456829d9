"""The spans of the slices that this process has in hand."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from winepress_shared.errors import WrongUsage
from winepress_shared.ledger.records import Slice
from winepress_shared.log_context import log_ids
from winepress_shared.settings import Settings
from winepress_shared.trace_context import TraceContext
from winepress_shared.tracers import open_tracer
from winepress_shared.tracing import Attributes, Kind, Span, Tracer

log = logging.getLogger(__name__)

_MS = 1_000_000  #: nanoseconds


class SliceTraces:
    """Makes a span of each slice of a job with a trace, and those of the steps of its work.

    A retry is another slice, and so another span of the same trace.
    """

    def __init__(self, tracer: Tracer | None = None, worker: str = "") -> None:
        """Without a tracer no spans are made."""
        self.tracer = tracer or Tracer()
        self._worker = worker
        self._open: dict[int, Span] = {}  # fence → span of what is worked on

    @classmethod
    def of(cls, settings: Settings, worker: str) -> SliceTraces:
        """Those of a worker, which draws without them where they cannot be made."""
        try:
            return cls(open_tracer(settings, "winepress-worker"), worker)
        except WrongUsage as error:
            log.error("no traces: %s", error)
            return cls()

    def claimed(self, claim: Callable[[], list[Slice]]) -> list[Slice]:
        """The slices of a claim; those with a trace are now below the spans of their work."""
        if not self.tracer.is_on:
            return claim()
        asked_ns = time.time_ns()
        slices = claim()
        got_ns = time.time_ns()
        return [
            self._begin(one, asked_ns, got_ns) if TraceContext.parse(one.traceparent) else one
            for one in slices
        ]

    def _begin(self, slice_: Slice, asked_ns: int, got_ns: int) -> Slice:
        parent = slice_.traceparent
        if slice_.waited_ms is not None:
            # By the ledger's clock it ended with the claim, and its length is the ledger's too.
            since_ns = got_ns - slice_.waited_ms * _MS
            self.tracer.begin("wait", Kind.INTERNAL, parent, at_ns=since_ns).end(got_ns)
        told: dict[str, str | int] = {
            "messaging.system": "winepress",
            "messaging.destination.name": slice_.lane,
            "messaging.message.id": slice_.job_id,
        }
        work = self.tracer.begin(
            f"process {slice_.lane}",
            Kind.CONSUMER,
            parent,
            told | _operation("process") | self._facts(slice_),
            at_ns=asked_ns,
        )
        self.tracer.begin(
            f"receive {slice_.lane}",
            Kind.CLIENT,
            work.traceparent,
            told | _operation("receive"),
            at_ns=asked_ns,
        ).end(got_ns)
        self._open[slice_.fence] = work
        return replace(slice_, traceparent=work.traceparent)

    def _facts(self, slice_: Slice) -> dict[str, str | int]:
        return {
            "winepress.worker": self._worker,
            "winepress.slice": slice_.fence,
            "winepress.units": len(slice_.units),
            "winepress.attempt": slice_.attempts + 1,
        }

    @contextmanager
    def within(self, slices: Sequence[Slice], unit: int | None = None) -> Iterator[None]:
        """What is done meanwhile is done for these slices, and below their spans."""
        first, jobs = slices[0], list(dict.fromkeys(one.job_id for one in slices))
        ids: dict[str, object] = {"lane": first.lane}
        ids |= {"job": jobs[0]} if len(jobs) == 1 else {"jobs": jobs}
        ids |= {"slice": first.fence} if len(slices) == 1 else {}
        ids |= {} if unit is None else {"unit": unit}
        with log_ids(ids), self.tracer.within([one.traceparent for one in slices]):
            yield

    def span(
        self, name: str, attributes: Attributes | None = None, kind: Kind = Kind.INTERNAL
    ) -> AbstractContextManager[None]:
        """A step of it, see `Tracer.span`."""
        return self.tracer.span(name, attributes, kind)

    def failed(self, slice_: Slice, error: Exception) -> None:
        """Say that an attempt of a slice failed."""
        work = self._open.get(slice_.fence)
        if work:
            work.fail(error)

    def end(self, slices: Sequence[Slice]) -> None:
        """End the spans of slices, with which nothing more will be done."""
        for one in slices:
            work = self._open.pop(one.fence, None)
            if work:
                work.end()


def _operation(name: str) -> dict[str, str | int]:
    return {"messaging.operation.name": name, "messaging.operation.type": name}
