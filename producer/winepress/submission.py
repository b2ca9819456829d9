"""Submissions: how a job becomes one that the farm has accepted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from winepress.caller_checks import check_job
from winepress.interruption import all_or_none
from winepress.meter import metered
from winepress.recovery import mark_accepted
from winepress.tickets import issue_tickets
from winepress_shared.jobs.foreign_syntax import warning_of_syntax
from winepress_shared.jobs.job import Job
from winepress_shared.jobs.job_record import JobRecord, digest_of
from winepress_shared.ledger.records import Submission
from winepress_shared.option_checks import syntax_in

if TYPE_CHECKING:
    from winepress.connections import Connections
    from winepress.submit_options import SubmitOptions
    from winepress_shared.archive import Archive

log = logging.getLogger(__name__)

_WRITERS = 8  #: threads that write to the store, which answers several requests at once


def record_of(
    connections: Connections,
    job: Job,
    submit_options: SubmitOptions,
    caller_warnings: Sequence[str] = (),
) -> JobRecord:
    """The record of a new job, resolved against the catalogue; writes nothing.

    Logs each warning: ``caller_warnings``, and those about fields that the model ignores. Raises
    InvalidJob and UnknownModel.
    """
    catalogue = connections.catalogue
    resolved = catalogue.resolve(connections.archive.with_sizes(check_job(job)))
    warnings = (*catalogue.warnings(resolved), *caller_warnings)
    syntax = syntax_in(resolved, braces=True)
    if syntax:
        warnings += (warning_of_syntax(syntax),)
    for warning in warnings:
        log.warning("%s", warning)
    lane = resolved.lane
    return submit_options.record(resolved, lane, digest_of(job), warnings=warnings)


def submit(
    connections: Connections, records: Sequence[JobRecord], submit_options: SubmitOptions
) -> list[str]:
    """Submit all jobs, or none when one is refused; returns their ids in order.

    An id is that of an earlier job where the idempotency key is known. Raises QueueFull, Conflict
    and InvalidJob.
    """
    check_room(connections, sum(record.job.unit_count for record in records), submit_options)
    with (
        metered(submit_options.meter, records) as accepted,
        all_or_none(connections, records),
    ):
        _write_jobs(connections.archive, records)
        accepted += accept(connections, records)
    return accepted


def check_room(connections: Connections, units: int, submit_options: SubmitOptions) -> None:
    """Raise QueueFull or FarmUnreachable before anything is written."""
    may_be_known = submit_options.idempotency_key is not None
    connections.farm.check_room(submit_options.user, units, may_be_known=may_be_known)


def accept(connections: Connections, records: Sequence[JobRecord]) -> list[str]:
    """Enter jobs that are in the store into the ledger, call workers, mark the jobs as accepted.

    Returns the ids, as `submit` does.
    """
    ids, marks = [], []
    with ThreadPoolExecutor(_WRITERS, thread_name_prefix="accept") as pool:
        for place, record in enumerate(records, 1):
            entry = connections.ledger.submit(Submission.of(record))
            if entry.id == record.id:
                issue_tickets(connections, str(record.lane), entry.tickets)
            else:  # its idempotency key belongs to an earlier job
                connections.archive.forget_job(record.id)
            if place < len(records):
                marks.append(pool.submit(mark_accepted, connections, entry.id))
            else:  # in this thread: most submissions have one job, and so need no other thread
                mark_accepted(connections, entry.id)
            ids.append(entry.id)
    for mark in marks:
        mark.result()
    return ids


def _write_jobs(archive: Archive, records: Sequence[JobRecord]) -> None:
    if len(records) == 1:  # here, and not in a thread: Ctrl-C does not wait for a slow store
        archive.write_job(records[0])
        return
    with ThreadPoolExecutor(_WRITERS, thread_name_prefix="submit") as pool:
        list(pool.map(archive.write_job, records))
