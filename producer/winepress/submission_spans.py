"""The spans of submissions, whose contexts go with the jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from winepress_shared.jobs.job_record import JobRecord
from winepress_shared.tracing import Attributes, Kind, Tracer


@contextmanager
def traced(tracer: Tracer, records: Sequence[JobRecord]) -> Iterator[Sequence[JobRecord]]:
    """The same jobs, each with the context of the span that submits it meanwhile."""
    parent = tracer.current()
    if not (tracer.is_on or parent):
        yield records
        return
    spans = [tracer.begin(f"send {one.lane}", Kind.PRODUCER, parent, _told(one)) for one in records]
    try:
        pairs = zip(records, spans, strict=True)
        yield [replace(record, traceparent=span.traceparent) for record, span in pairs]
    except BaseException as error:
        for span in spans:
            span.fail(error)
        raise
    finally:
        for span in spans:
            span.end()


def _told(record: JobRecord) -> Attributes:
    """What the conventions ask of a span about a message, which here is a job."""
    return {
        # Not celery, whose tickets name no job: jobs go through our own ledger.
        "messaging.system": "winepress",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": str(record.lane),
        "messaging.message.id": record.id,
        "gen_ai.request.model": record.job.model,
        "winepress.job.kind": record.job.kind,
        "winepress.job.units": record.job.unit_count,
    }
