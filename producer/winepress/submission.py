"""Submissions: how a job becomes one that the farm has accepted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from winepress.caller_checks import check_job
from winepress.interruption import all_or_none, undo_double
from winepress.meter import metered
from winepress.submission_spans import traced
from winepress.tickets import issue_tickets
from winepress_shared.errors import BrokerUnreachable, FailForGood, InvalidJob, ObjectMissing
from winepress_shared.jobs.foreign_syntax import warning_of_syntax
from winepress_shared.jobs.job import Job
from winepress_shared.jobs.job_record import JobRecord, digest_of
from winepress_shared.ledger.acceptance import Decision, key_conflict
from winepress_shared.ledger.submissions import Submission
from winepress_shared.option_checks import syntax_in
from winepress_shared.pins import keep_for
from winepress_shared.ticket_policy import missing_tickets
from winepress_shared.webhook import Webhook, is_out_of_reach

if TYPE_CHECKING:
    from winepress.connections import Connections
    from winepress.submit_options import SubmitOptions

log = logging.getLogger(__name__)

T = TypeVar("T")

_NO_DELIVERER = (
    "nothing delivers webhooks now: messages wait for a week until `winepress webhooks run` runs"
)
_OUT_OF_REACH = (
    "the host of the webhook is not on the public internet: nothing is delivered there unless "
    "the setting webhook_allow of the farm lists it"
)
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
    warnings += _webhook_warnings(connections, submit_options.webhook)
    for warning in warnings:
        log.warning("%s", warning)
    lane = resolved.lane
    return submit_options.record(resolved, lane, digest_of(job), warnings=warnings)


def _webhook_warnings(connections: Connections, webhook: Webhook | None) -> tuple[str, ...]:
    if webhook is None:
        return ()
    found = [] if connections.outbox.deliverers() else [_NO_DELIVERER]
    if is_out_of_reach(webhook, connections.settings.webhook_allow):
        found.append(_OUT_OF_REACH)
    return tuple(found)


def submit(
    connections: Connections, records: Sequence[JobRecord], submit_options: SubmitOptions
) -> list[str]:
    """Submit all jobs, or none when one is refused; returns their ids in order.

    An id is that of an earlier job where the idempotency key is known. Raises QueueFull, Conflict
    and InvalidJob.
    """

    def write_inputs(new: Sequence[JobRecord]) -> None:
        write_all(connections.archive.write_inputs, [record.job for record in new])
        for record in new:
            source = getattr(record.job, "key_frames_of", None)
            if source is not None:
                keep_for(connections.archive.store, source, record.id)

    return submit_with(connections, records, submit_options, write_inputs)


def submit_with(
    connections: Connections,
    records: Sequence[JobRecord],
    submit_options: SubmitOptions,
    write_parts: Callable[[Sequence[JobRecord]], None],
) -> list[str]:
    """The same; ``write_parts`` writes what new jobs need in the store beside ``job.json``.

    Each job gets its place in the ledger before anything of it is written, and all are accepted
    when all are written.
    """
    with (
        traced(connections.tracer, records) as records,
        metered(submit_options.meter, records) as accepted,
    ):
        held = _hold(connections, records)
        new = [one.record for one in held if one.record and not one.is_written]
        continued = [one.record for one in held if one.record and one.is_written]
        with all_or_none(connections, new, continued):
            write_parts(new)
            write_all(connections.archive.write_job, new)
            if connections.settings.waits_for_disk:
                connections.written.keep({record.id: record.encode() for record in new})
            # Also without any: whoever is told an earlier job's id relies on it as well.
            ids = _accept(connections, [*new, *continued])
        accepted += [ids.get(one.id, one.id) for one in held]
    return accepted


def write_all(write: Callable[[T], object], items: Sequence[T]) -> None:
    """Write every item, several at a time."""
    if len(items) == 1:  # here, and not in a thread: Ctrl-C does not wait for a slow store
        write(items[0])
    elif items:
        with ThreadPoolExecutor(_WRITERS, thread_name_prefix="submit") as pool:
            list(pool.map(write, items))


class _Held(NamedTuple):
    """One job of a submission that has its place in the ledger."""

    id: str
    record: JobRecord | None  #: None if it was accepted before
    is_written: bool = False  #: an earlier submission wrote ``job.json``


def _hold(connections: Connections, records: Sequence[JobRecord]) -> list[_Held]:
    holds = connections.pending.hold([Submission.of(record) for record in records])
    try:
        return [
            _continue(connections, record, hold.id)
            if hold.is_pending and hold.id != record.id
            else _Held(hold.id, record if hold.is_pending else None)
            for record, hold in zip(records, holds, strict=True)
        ]
    except BaseException:  # nothing is written yet
        with suppress(BrokerUnreachable):
            connections.pending.drop([record.id for record in records])
        raise


def _continue(connections: Connections, record: JobRecord, earlier: str) -> _Held:
    """Go on with an earlier submission under the same idempotency key, if it came far enough."""
    try:
        return _Held(earlier, connections.archive.read_job(earlier), is_written=True)
    except (ObjectMissing, FailForGood, InvalidJob):
        # Its submitter is still at work, or was killed: whichever is written first is accepted.
        (hold,) = connections.pending.hold([Submission.of(record)], beside=True)
        return _Held(hold.id, record if hold.is_pending else None)


def _accept(connections: Connections, records: Sequence[JobRecord]) -> dict[str, str]:
    """Have jobs accepted whose ``job.json`` is written, and call workers.

    Returns the id of each, which is another's if an equal submission was quicker.
    """
    ids: dict[str, str] = {}
    units: Counter[tuple[str, int, int]] = Counter()  #: of a lane, as its answer tells it
    answers = connections.pending.accept([record.id for record in records])
    for record, answer in zip(records, answers, strict=True):
        ids[record.id] = answer.id
        if answer.decision in (Decision.ACCEPTED, Decision.EARLIER):
            units[str(record.lane), answer.workers, answer.queued] += record.job.unit_count
        elif answer.decision is Decision.CONFLICT:
            raise key_conflict(record.idempotency_key, answer.id)
        elif answer.decision is not Decision.KNOWN:
            ids[record.id] = _enter_again(connections, record)
        if ids[record.id] != record.id:
            undo_double(connections, record.id)
    for (lane, workers, queued), count in units.items():
        issue_tickets(connections, lane, missing_tickets(count, workers, queued))
    return ids


def _enter_again(connections: Connections, record: JobRecord) -> str:
    """Enter a job that the ledger lost meanwhile, or held for longer than it waits for one."""
    entry = connections.ledger.submit(Submission.of(record))
    connections.broker_disk.confirm()
    if entry.is_new:
        issue_tickets(connections, str(record.lane), entry.tickets)
    return entry.id
