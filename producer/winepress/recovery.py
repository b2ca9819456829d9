"""Recovery: the ledger in Redis is rebuilt from the jobs in the store."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from winepress.interruption import undo_double
from winepress.tickets import issue_tickets
from winepress_shared.archive import JobRecord
from winepress_shared.errors import ObjectMissing, Refused, WinepressError
from winepress_shared.ledger.acceptance import Decision
from winepress_shared.ledger.submissions import Submission

if TYPE_CHECKING:
    from winepress.connections import Connections

log = logging.getLogger(__name__)

_READERS = 8  #: threads that read the rows of finished pictures from the store
_NAMES = frozenset({"job.json", "result.json"})


def recover(connections: Connections) -> list[str]:
    """Enter every job of the store that has no result; returns the ids entered.

    Pictures that are in the store are not rendered again. Jobs that the ledger has and jobs past
    their deadline are left alone, so this is safe on a running farm; a job that is still pending is
    accepted. A damaged or refused job is logged and skipped.
    """
    job_ids = sorted(StoredJobs.list(connections).ids)
    answers = dict(zip(job_ids, connections.pending.accept(job_ids), strict=True))
    for job_id, answer in answers.items():
        if answer.decision in (Decision.KNOWN, Decision.CONFLICT):
            undo_double(connections, job_id)
    lost = [one for one, answer in answers.items() if answer.decision is Decision.MISSING]
    entered = [one.id for one in unexpired(connections, lost) if _restore(connections, one)]
    accepted = [one for one, answer in answers.items() if answer.decision is Decision.ACCEPTED]
    return sorted([*entered, *accepted])


def _restore(connections: Connections, record: JobRecord) -> bool:
    outputs = _finished_units(connections, record)
    connections.ledger.keep_units(record.id, outputs)
    try:
        entry = connections.ledger.submit(Submission.of(record))
    except Refused as error:
        log.warning("cannot recover job %s: %s", record.id, error)
        return False
    if entry.id != record.id:  # another job has its idempotency key
        undo_double(connections, record.id)
    if entry.is_new:
        issue_tickets(connections, str(record.lane), entry.tickets)
    return entry.is_new


def _finished_units(connections: Connections, record: JobRecord) -> dict[int, dict[str, Any]]:
    """Unit → row, for every picture of the job that is in the store."""
    keys = {
        int(number): stored.key
        for stored in connections.archive.store.list(f"jobs/{record.id}/out/")
        if (number := stored.key.rpartition("/")[2].partition(".")[0]).isdecimal()
        and int(number) < record.job.unit_count
    }
    with ThreadPoolExecutor(_READERS, thread_name_prefix="recover") as pool:
        rows = pool.map(connections.archive.read_output, keys.values())
    return {unit: row for unit, row in zip(keys, rows, strict=True) if row is not None}


def unexpired(connections: Connections, job_ids: Iterable[str]) -> Iterator[JobRecord]:
    """The records of jobs whose deadline has not passed; damaged records are logged."""
    for job_id in job_ids:
        try:
            record = connections.archive.read_job(job_id)
        except ObjectMissing:
            continue  # its submission was undone meanwhile
        except WinepressError as error:
            log.warning("cannot recover job %s: %s", job_id, error)
            continue
        if record.expires is None or record.expires > time.time():
            yield record


@dataclass(frozen=True)
class StoredJobs:
    """The jobs in the store that have no result."""

    ids: frozenset[str]
    is_all: bool = True  #: false when the store holds more objects than were listed

    @classmethod
    def list(cls, connections: Connections, most: int | None = None) -> StoredJobs:
        """List at most ``most`` objects of the store; None is all of them."""
        found: dict[str, set[str]] = {}
        last, looked_at = "", 0
        for stored in islice(connections.archive.store.list("jobs/"), most):
            last, _, name = stored.key.removeprefix("jobs/").partition("/")
            looked_at += 1
            if name in _NAMES:
                found.setdefault(last, set()).add(name)
        is_all = looked_at != most
        if not is_all:
            found.pop(last, None)  # its other objects may come later
        open_jobs = (job_id for job_id, names in found.items() if names == {"job.json"})
        return cls(frozenset(open_jobs), is_all)
