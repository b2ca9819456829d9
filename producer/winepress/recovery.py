"""Recovery: what a broker or a store has lost is brought back from what the other still has.

The ledger is rebuilt from the jobs in the store. Pictures that were counted lately and are not
whole in the store wait to be drawn again, and a result that is gone is written again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from winepress.interruption import undo_double
from winepress.stored_jobs import open_jobs, unexpired
from winepress.stored_units import StoredUnits
from winepress.tickets import call_workers, issue_tickets
from winepress_shared.archive import JobRecord
from winepress_shared.errors import Refused, StoreUnreachable, WinepressError
from winepress_shared.ledger.acceptance import Decision
from winepress_shared.ledger.submissions import Submission
from winepress_shared.pins import is_pinned
from winepress_shared.state import JobState

if TYPE_CHECKING:
    from winepress.connections import Connections
    from winepress_shared.stores.base import StoredObject

log = logging.getLogger(__name__)

MINUTES = 60.0  #: of the farm's work whose pictures are looked for, unless told otherwise
_PAGE = 500  #: jobs looked at together
_READERS = 8  #: threads that read from the store
_ALIVE = frozenset({JobState.QUEUED, JobState.RUNNING})
_ENDED_WITH_RESULT = frozenset({JobState.SUCCEEDED, JobState.FAILED})


class Repair(StrEnum):
    """What a recovery does to a job."""

    ENTERED = "entered"  #: the ledger had lost it
    ACCEPTED = "accepted"  #: its submission was not complete, and it is written
    REDRAWN = "redrawn"  #: pictures of it are lost and wait to be drawn again
    RESULT = "result"  #: its result was lost, and is written again
    WRITTEN = "written"  #: its job.json was lost; the broker had kept it


@dataclass(frozen=True)
class Repaired:
    """One job of a recovery, and what was done, or would be without ``dry_run``."""

    id: str
    repair: Repair
    lost: int = 0  #: pictures that are drawn again


@dataclass(frozen=True)
class Progress:
    """How far a recovery is."""

    objects: int = 0  #: of the store, seen
    jobs: int = 0  #: looked at
    pictures: int = 0  #: counted lately, read


class Recovery:
    """One look at everything; safe at any time on a running farm, and twice is once.

    It reads the store page by page, and its memory does not grow with the store.
    """

    def __init__(
        self,
        connections: Connections,
        *,
        dry_run: bool = False,
        minutes: float = MINUTES,
        tell: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        """``tell`` is called after each page; with ``dry_run`` nothing is changed."""
        self._connections = connections
        self._dry_run = dry_run
        self._minutes = minutes
        self._tell = tell
        self._progress = Progress()
        self._units = StoredUnits(connections.archive, minutes)

    def run(self) -> Iterator[Repaired]:
        """Repair, and yield what was done, job by job.

        Jobs past their deadline are left alone. A damaged or refused job is logged and skipped.
        """
        yield from self._write_jobs_again()
        jobs = open_jobs(self._seen(self._connections.archive.store.list("jobs/")))
        ids = (job_id for job_id, is_open in jobs if is_open)
        while page := list(islice(ids, _PAGE)):
            yield from self._would_enter(page) if self._dry_run else self._enter(page)
            self._advance(jobs=len(page))
        yield from self._look_for_pictures()

    def _write_jobs_again(self) -> Iterator[Repaired]:
        """Put back what the broker has kept of jobs that are to be drawn."""
        connections, kept = self._connections, self._connections.written.all()
        with ThreadPoolExecutor(_READERS, thread_name_prefix="recover") as pool:
            while page := dict(islice(kept, _PAGE)):
                states = connections.counted.states(list(page))
                alive = [job_id for job_id, state in states.items() if state in _ALIVE]
                for job_id, is_there in zip(alive, pool.map(self._has_job, alive), strict=True):
                    if is_there:
                        continue
                    if not self._dry_run:
                        connections.archive.write_job(JobRecord.decode(page[job_id]))
                    yield Repaired(job_id, Repair.WRITTEN)

    def _has_job(self, job_id: str) -> bool:
        return self._can(self._connections.archive.read_job, job_id)

    def _can(self, read: Callable[[str], object], job_id: str) -> bool:
        """Whether the store has what ``read`` reads of a job, whole."""
        try:
            read(job_id)
        except StoreUnreachable:
            self._connections.archive.store.check()  # raises if the store cannot be used
            return False
        except WinepressError:  # damaged
            return False
        return True

    def _seen(self, objects: Iterable[StoredObject]) -> Iterator[StoredObject]:
        for number, stored in enumerate(objects, 1):
            if number % _PAGE == 0:
                self._advance(objects=_PAGE)
            yield stored

    def _advance(self, objects: int = 0, jobs: int = 0, pictures: int = 0) -> None:
        now = self._progress
        self._progress = Progress(now.objects + objects, now.jobs + jobs, now.pictures + pictures)
        self._tell(self._progress)

    # -- jobs of the store -------------------------------------------------------------------

    def _enter(self, job_ids: list[str]) -> Iterator[Repaired]:
        answers = self._connections.pending.accept(job_ids)
        decided = dict(zip(job_ids, (one.decision for one in answers), strict=True))
        for job_id, decision in decided.items():
            if decision is Decision.ACCEPTED:
                yield Repaired(job_id, Repair.ACCEPTED)
            elif decision in (Decision.KNOWN, Decision.CONFLICT):
                undo_double(self._connections, job_id)
        missing = [one for one, decision in decided.items() if decision is Decision.MISSING]
        for record in unexpired(self._connections, missing):
            if self._restore(record):
                yield Repaired(record.id, Repair.ENTERED)
        known = [one for one, decision in decided.items() if decision is Decision.EARLIER]
        yield from self._mend_ended(known)
        self._connections.broker_disk.confirm()

    def _would_enter(self, job_ids: list[str]) -> Iterator[Repaired]:
        from winepress_shared.ledger.counted import PENDING

        states = self._connections.counted.states(job_ids)
        for job_id, state in states.items():
            if state == PENDING:
                yield Repaired(job_id, Repair.ACCEPTED)
        for record in unexpired(self._connections, self._connections.farm.unknown_jobs(job_ids)):
            yield Repaired(record.id, Repair.ENTERED)
        yield from self._mend_ended([one for one in job_ids if one in states])

    def _restore(self, record: JobRecord) -> bool:
        """Enter a job, less what the store has of it; False if it is refused or known."""
        connections = self._connections
        connections.ledger.keep_units(record.id, self._units.of(record))
        try:
            entry = connections.ledger.submit(Submission.of(record))
        except Refused as error:
            log.warning("cannot recover job %s: %s", record.id, error)
            return False
        if entry.id != record.id:  # another job has its idempotency key
            undo_double(connections, record.id)
        if entry.is_new:
            if is_pinned(connections.archive.store, record.id):
                connections.ledger.control(record.id, "pin")
            issue_tickets(connections, str(record.lane), entry.tickets)
        return entry.is_new

    # -- what has ended ----------------------------------------------------------------------

    def _mend_ended(self, job_ids: list[str]) -> Iterator[Repaired]:
        """Look after those jobs that ended and whose result the listing did not show."""
        for job_id, state in self._connections.counted.states(job_ids).items():
            if state in _ENDED_WITH_RESULT and not self._has_result(job_id):
                yield from self._write_result_again(job_id)

    def _has_result(self, job_id: str) -> bool:
        return self._can(self._connections.archive.read_result, job_id)

    def _write_result_again(self, job_id: str) -> Iterator[Repaired]:
        """Write the result of a job that has ended, or enter it again if pictures are lost."""
        from winepress_shared.result import Result

        connections = self._connections
        for record in unexpired(connections, [job_id]):
            rows = self._units.of(record)
            ended = connections.ledger.outputs(job_id).items()
            rows |= {unit: row for unit, row in ended if "error" in row and unit not in rows}
            lost = record.job.unit_count - len(rows)
            if not lost:
                if not self._dry_run:
                    connections.archive.write_result(Result.from_units(job_id, rows))
                yield Repaired(job_id, Repair.RESULT)
                return
            if not self._dry_run:
                connections.archive.reopen_job(job_id)
                if not (connections.counted.forget(job_id) and self._restore(record)):
                    return
            yield Repaired(job_id, Repair.REDRAWN, lost)

    # -- pictures ----------------------------------------------------------------------------

    def _look_for_pictures(self) -> Iterator[Repaired]:
        counted = self._connections.counted.lately(self._minutes)
        states = self._connections.counted.states(list(counted))
        for job_id, state in states.items():
            units = counted[job_id]
            if state in _ALIVE:
                still = self._connections.counted.still(job_id, list(units))
                lost = self._units.lost(job_id, {unit: units[unit] for unit in still})
                yield from self._draw_again(job_id, lost)
            elif state in _ENDED_WITH_RESULT and not self._is_told(job_id):
                lost = self._units.lost(job_id, units)
                if lost or not self._has_result(job_id):
                    yield from self._write_result_again(job_id)
            self._advance(pictures=len(units))

    def _is_told(self, job_id: str) -> bool:
        """Whether a look that changes nothing has come across a job that has ended already."""
        key = f"jobs/{job_id}/result.json"
        return self._dry_run and self._connections.archive.store.head(key) is None

    def _draw_again(self, job_id: str, lost: list[int]) -> Iterator[Repaired]:
        if not lost:
            return
        count = len(lost)
        if not self._dry_run:
            state, count = self._connections.counted.draw_again(job_id, lost)
            if state in _ENDED_WITH_RESULT:  # meanwhile
                yield from self._write_result_again(job_id)
                return
            call_workers(self._connections, job_id)
        if count:
            yield Repaired(job_id, Repair.REDRAWN, count)


def recover(connections: Connections) -> list[str]:
    """The ids of the jobs that a `Recovery` repairs."""
    return sorted({one.id for one in Recovery(connections).run()})
