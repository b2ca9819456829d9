"""The door of a farm for Python programs."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from winepress.caller_checks import (
    check_job,
    check_job_id,
    check_limit,
    check_priority,
    check_state,
    check_window,
)
from winepress.connections import Connections
from winepress.explanation import estimate_of, explain, place_of, why_impossible, why_stalled
from winepress.handle import JobHandle
from winepress.interruption import all_or_none
from winepress.recovery import mark_accepted, recover
from winepress.recut import recut
from winepress.submit_options import SubmitOptions
from winepress_shared.archive import JobRecord, Result, digest_of
from winepress_shared.errors import FarmUnreachable, NotFound, StoreUnreachable
from winepress_shared.jobs.foreign_syntax import warning_of_syntax
from winepress_shared.jobs.job import Job, Priority
from winepress_shared.ledger.records import BANDS, Entry, JobRow, Submission, Worker
from winepress_shared.option_checks import syntax_in
from winepress_shared.state import JobState

if TYPE_CHECKING:
    from winepress_shared.estimate import Estimate, Work
    from winepress_shared.window import Window

log = logging.getLogger(__name__)

_MOST_TICKETS = 16  #: of one submission; a worker that leaves work behind issues another
_WRITERS = 8  #: threads that write jobs and mark them; the store answers several writes at once


class Client(Connections):
    """Submits jobs to one farm and looks after them; may be shared by threads.

    Reaches nothing before the first call that needs it. Every method raises FarmUnreachable when
    the broker or the store cannot be used.
    """

    # -- submitting --------------------------------------------------------------------------

    def submit(
        self,
        job: Job,
        *,
        user: str | None = None,
        idempotency_key: str | None = None,
        expires_in: float | None = None,
        start_in: float | None = None,
        window: Window | str | None = None,
        warnings: Sequence[str] = (),
    ) -> JobHandle:
        """Queue a job; it is accepted once this returns.

        The same ``idempotency_key`` of the same user within a day returns the earlier job.
        ``expires_in`` is the deadline and ``start_in`` the earliest start, in seconds from now;
        ``window`` is the part of each day it is drawn in, a Window or text like ``22:00-06:00`` in
        local time. Raises WrongUsage for a window that is none, and Refused, with nothing left
        behind: InvalidJob, UnknownModel, QueueFull or Conflict. What is asked for and will be
        ignored is logged as a warning, and stands in `JobHandle.warnings` and in the result;
        ``warnings`` are sentences about what the caller left out itself.
        """
        user = self.settings.user if user is None else user
        submit_options = SubmitOptions(
            user, idempotency_key, expires_in, start_in, check_window(window)
        )
        record = self._record(job, submit_options, warnings)
        self.check_room(record.job.unit_count, submit_options)
        with all_or_none(self, [record]):
            self.archive.write_job(record)
            (handle,) = self.accept([record])
        return handle

    def submit_many(self, jobs: Iterable[Job], *, user: str | None = None) -> Sequence[JobHandle]:
        """Queue many jobs at once, in order: all of them, or none when one is refused."""
        submit_options = SubmitOptions(self.settings.user if user is None else user)
        records = [self._record(job, submit_options) for job in jobs]
        self.check_room(sum(record.job.unit_count for record in records), submit_options)
        with all_or_none(self, records):
            with ThreadPoolExecutor(_WRITERS, thread_name_prefix="submit") as pool:
                list(pool.map(self.archive.write_job, records))
            return self.accept(records)

    def recut(self, job_id: str, *, user: str | None = None, **film: Any) -> JobHandle:
        """Queue another film of a zoom's key frames; ``film`` are fields of `FilmCut`.

        Nothing is drawn. Raises what `submit` raises, NotFound, and Conflict while key frames are
        missing.
        """
        return self.submit(recut(self, job_id, film), user=user)

    def _record(
        self, job: Job, submit_options: SubmitOptions, left_out: Sequence[str] = ()
    ) -> JobRecord:
        resolved = self.catalogue.resolve(self.archive.with_sizes(check_job(job)))
        syntax = syntax_in(resolved, braces=True)
        warnings = (*self.catalogue.warnings(resolved), *left_out)
        if syntax:
            warnings += (warning_of_syntax(syntax),)
        for warning in warnings:
            log.warning("%s", warning)
        lane = self.catalogue.lane(resolved)
        return submit_options.record(resolved, lane, digest_of(job), warnings=warnings)

    def check_room(self, units: int, submit_options: SubmitOptions) -> None:
        """Find out that the farm is down or full before anything is written."""
        may_be_known = submit_options.idempotency_key is not None
        self.farm.check_room(submit_options.user, units, may_be_known=may_be_known)

    def accept(self, records: Sequence[JobRecord]) -> Sequence[JobHandle]:
        """Enter jobs that the store holds, call workers, and mark the jobs as accepted."""
        handles, marks = [], []
        with ThreadPoolExecutor(_WRITERS, thread_name_prefix="accept") as pool:
            for place, record in enumerate(records, 1):
                entry = self.enter(record)
                if entry.id == record.id:
                    self.issue_tickets(str(record.lane), entry.tickets)
                else:  # its idempotency key is known
                    self.archive.forget_job(record.id)
                if place < len(records):
                    marks.append(pool.submit(mark_accepted, self, entry.id))
                else:  # by this thread: most submissions are of one job, and need no other
                    mark_accepted(self, entry.id)
                handles.append(JobHandle(self, entry.id, record.warnings))
        for mark in marks:
            mark.result()
        return handles

    def enter(self, record: JobRecord) -> Entry:
        """Enter a job that the store holds into the ledger; see `Ledger.submit`."""
        return self.ledger.submit(Submission.of(record))

    def issue_tickets(self, lane: str, count: int) -> None:
        """Call workers to a lane; the workers' reconciler makes good for a failure here."""
        from winepress_shared.broker import send_tickets

        try:
            if count:
                send_tickets(self._celery.get(), lane, min(count, _MOST_TICKETS))
        except FarmUnreachable as error:
            log.warning("accepted, but workers will notice a little later: %s", error)

    # -- jobs --------------------------------------------------------------------------------

    def get(self, job_id: str) -> JobHandle:
        """The handle of a job; raises NotFound.

        A job whose record has expired is found while the store still holds its pictures.
        """
        check_job_id(job_id)
        try:
            self.ledger.get(job_id)
        except NotFound:
            if self.archive.store.head(f"jobs/{job_id}/result.json") is None:
                raise
        return JobHandle(self, job_id)

    def cancel(self, job_id: str, reason: str = "canceled on request") -> JobState:
        """Stop a job; finished pictures are kept. Raises NotFound, Conflict when it is over."""
        state = self._control(job_id, "cancel", reason)
        self._write_canceled(job_id)
        return state

    def withdraw(self, record: JobRecord, reason: str) -> None:
        """Cancel a job whose submission failed, and free its key; raises NotFound, Conflict."""
        self.ledger.control(record.id, "cancel", reason, record.idempotency_key)
        self._write_canceled(record.id)

    def _write_canceled(self, job_id: str) -> None:
        # With its result written, a canceled job does not come back in `recover`.
        result = Result.from_units(job_id, self.ledger.outputs(job_id))
        with contextlib.suppress(StoreUnreachable):
            self.archive.write_result(result)

    def _control(self, job_id: str, verb: str, reason: str = "") -> JobState:
        return self.ledger.control(check_job_id(job_id), verb, reason)

    def pause(self, job_id: str) -> JobState:
        """Hand out no more of a job; pictures in hand are finished. Raises NotFound, Conflict."""
        return self._control(job_id, "pause")

    def resume(self, job_id: str) -> JobState:
        """Go on with a paused job; raises NotFound, Conflict."""
        return self._reopen(job_id, "resume")

    def retry(self, job_id: str) -> JobState:
        """Render what a failed, canceled or expired job lacks; raises NotFound, Conflict."""
        state = self.ledger.get(check_job_id(job_id)).state
        if state.is_terminal and state is not JobState.SUCCEEDED:
            # It is an open job again: `recover` must not take it for a finished one.
            self.archive.reopen_job(job_id)
        return self._reopen(job_id, "retry")

    def _reopen(self, job_id: str, verb: str) -> JobState:
        state = self._control(job_id, verb)
        row = self.ledger.get(job_id)
        missing = self.ledger.missing_tickets(row.lane, row.units - row.done)
        self.issue_tickets(row.lane, missing)
        return state

    def front(self, job_id: str) -> JobState:
        """Let a job go before the others of its user and priority; raises NotFound, Conflict.

        Other users keep their turns.
        """
        return self._control(job_id, "front")

    def reprioritise(self, job_id: str, priority: Priority) -> JobState:
        """Move what waits of a job to another band; raises NotFound, Conflict, WrongUsage."""
        return self._control(job_id, "reprioritise", str(BANDS.index(check_priority(priority))))

    def explain(self, job_id: str) -> str:
        """Why a job waits, fails or does not move, and what to do about it; raises NotFound."""
        return explain(self.ledger, self.lanes, self.ledger.get(check_job_id(job_id)))

    def estimate(self, job_id: str) -> Estimate:
        """Place in the queue, start, end and time limit, as measured; raises NotFound."""
        row = self.ledger.get(check_job_id(job_id))
        return estimate_of(row, place_of(self.lanes, row), self.lanes, self.workers())

    def estimate_new(self, work: Work, user: str | None = None) -> Estimate:
        """The same for something that were submitted now."""
        from winepress_shared.estimate import Paces, estimate

        place = self.lanes.place(work.lane, work.band, user or self.settings.user)
        paces = Paces(self.workers(), self.lanes.paces())
        return estimate(work, place, self.lanes.look("")[0], paces)

    def why_impossible(self, lane: str) -> str | None:
        """Why no live worker can serve ``lane``; None when one can."""
        return why_impossible(lane, self.workers())

    def why_stalled(self, job_id: str) -> str:
        """What keeps a job from going on now, in sentences; empty when nothing does."""
        return why_stalled(self.ledger, self.lanes, self.ledger.get(check_job_id(job_id)))

    # -- farm --------------------------------------------------------------------------------

    def workers(self) -> Sequence[Worker]:
        """Every live worker."""
        return self.ledger.workers()

    def recover(self, *, pending: bool = False) -> Sequence[JobHandle]:
        """Enter every unfinished job of the store into the ledger again; see `recovery`."""
        return [JobHandle(self, job_id) for job_id in recover(self, pending=pending)]

    def list(self, state: JobState | None = None, limit: int = 100) -> Sequence[JobRow]:
        """The newest jobs, newest first; raises WrongUsage for a state or limit there is not."""
        return self.ledger.jobs(check_state(state), check_limit(limit))
