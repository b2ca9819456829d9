"""A ledger in this process, for tests of its callers: no server, no clock.

It implements one job's life: submitted, claimed, committed, failed, canceled. Jobs of a lane go by
priority, then by age. Features that need the scripts' view of a whole farm (turns of users, hours,
chains, expiry of leases, events) raise `NotInMemory`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any, cast

from winepress_shared.errors import Conflict
from winepress_shared.ledger.channel import Channel
from winepress_shared.ledger.held_job import HeldJob, HeldLease
from winepress_shared.ledger.ledger import MAX_ATTEMPTS, Ledger
from winepress_shared.ledger.limits import farm_full
from winepress_shared.ledger.no_server import NoServer, NotInMemory, Silence
from winepress_shared.ledger.records import (
    Directive,
    HeartbeatReply,
    JobRow,
    Slice,
    StepReply,
    UnitOutcome,
    Worker,
    not_in_this_state,
    unknown_job,
)
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.ledger.submissions import Entry, Submission
from winepress_shared.settings import Settings
from winepress_shared.state import JobState
from winepress_shared.ticket_policy import missing_tickets


class InMemoryLedger(Ledger):
    """A `Ledger` without Redis; holds at most ``queue_limit`` units that have not ended."""

    def __init__(self, queue_limit: int = 2_000_000) -> None:
        super().__init__(Settings(), cast("ScriptServer", NoServer()))
        self.queue_limit = queue_limit
        self._jobs: dict[str, HeldJob] = {}
        self._keys: dict[tuple[str, str], str] = {}  #: user and idempotency key → job
        self._kept: dict[str, dict[int, dict[str, Any]]] = {}
        self._leases: dict[int, HeldLease] = {}
        self._workers: dict[str, Worker] = {}
        self._fences = itertools.count(1)

    def close(self) -> None:
        """Do nothing: there is no connection, and the jobs are kept."""

    # -- producers ---------------------------------------------------------------------------

    def submit(self, new: Submission) -> Entry:
        """See `Ledger.submit`."""
        unkept = (new.chained, new.window, new.max_failed, new.starts_in_ms, new.expires_in_ms)
        if any(value not in (None, 0) for value in unkept):
            raise NotInMemory("the ledger in memory knows no chains, times and limits of a job")
        known = self._keys.get((new.user, new.idempotency_key))
        if known and self._jobs[known].new.digest != new.digest:
            raise Conflict(f"this idempotency key belongs to job {known}", value=known)
        job_id = known or new.id
        if job_id in self._jobs:
            return Entry(job_id, False, self.missing_tickets(new.lane, new.units))
        self._check_room(new.units)
        if new.idempotency_key:
            self._keys[new.user, new.idempotency_key] = new.id
        job = self._jobs[new.id] = HeldJob.of(new, self._kept.pop(new.id, {}))
        return Entry(new.id, True, self.missing_tickets(new.lane, len(job.waiting)))

    def keep_units(self, job_id: str, outputs: dict[int, dict[str, Any]]) -> None:
        """See `Ledger.keep_units`."""
        if job_id not in self._jobs:
            self._kept[job_id] = dict(outputs)

    def get(self, job_id: str) -> JobRow:
        """One job; raises NotFound."""
        return self._job(job_id).row

    def jobs(self, state: JobState | None = None, limit: int = 100) -> list[JobRow]:
        """The ``limit`` newest jobs, newest first."""
        rows = (job.row for job in reversed(self._jobs.values()))
        return [row for row in rows if state in (None, row.state)][:limit]

    def control(self, job_id: str, verb: str, reason: str = "") -> JobState:
        """Cancel, pause, resume or retry a job; raises NotFound or Conflict."""
        job = self._job(job_id)
        state = job.row.state
        if verb not in ("cancel", "pause", "resume", "retry"):
            raise NotInMemory(f"the ledger in memory does not {verb} jobs")
        if verb == "cancel" and state is JobState.CANCELED:
            return state
        if state is JobState.SUCCEEDED or (verb == "retry") is not state.is_terminal:
            raise not_in_this_state(verb, state)
        if verb == "retry":
            self._leases = {f: lease for f, lease in self._leases.items() if lease.job is not job}
            job.queue()
        elif verb == "cancel":
            job.become(state=JobState.CANCELED, paused=False, reason=reason)
        else:
            job.become(paused=verb == "pause")
        return job.row.state

    def outputs(self, job_id: str) -> dict[int, dict[str, Any]]:
        """Unit → its committed output or its error; empty once the job has succeeded."""
        job = self._jobs.get(job_id)
        if job is None or job.row.state is JobState.SUCCEEDED:
            return {}
        return dict(sorted(job.ended.items()))

    def missing_tickets(self, lane: str, units: int) -> int:
        """One per live worker: no tickets are queued."""
        return missing_tickets(units, len(self._workers), 0)

    # -- workers -----------------------------------------------------------------------------

    def workers(self) -> list[Worker]:
        """Every worker that has sent a heartbeat."""
        return list(self._workers.values())

    def beat(
        self, worker: str, holder: str, facts: dict[str, Any], life: str = "", arrives: int = 0
    ) -> HeartbeatReply:
        """Record a worker's description; the reply has no leases, because none expires."""
        self._workers[worker] = Worker(worker, time.time(), facts, {})
        return HeartbeatReply((), {})

    def claim_together(
        self,
        lane: str,
        worker: str,
        holder: str,
        most: int,
        together: int,
        *,
        begin: bool = False,
        others_first: bool = False,
    ) -> list[Slice]:
        """See `Ledger.claim_together`; a job's units are not shared out among workers."""
        if others_first:
            raise NotInMemory("the ledger in memory does not know who failed at what")
        job = self._next_job(lane)
        if job is None:
            return []
        slices = [self._give_out(job, max(1, most), begin=begin)]
        alike = None if slices[0].alone or slices[0].finish else job.new.alike
        while alike and (room := together - sum(len(one.units) for one in slices)) > 0:
            job = self._next_job(lane)
            if job is None or job.new.alike != alike or job.is_suspect or job.has_ended_all:
                break
            slices.append(self._give_out(job, min(room, max(1, most)), begin=False))
        return slices

    def _give_out(self, job: HeldJob, most: int, *, begin: bool) -> Slice:
        is_suspect = job.is_suspect
        tried = job.attempts[job.waiting[0]] if is_suspect else 0
        fresh = list(itertools.takewhile(lambda unit: unit not in job.attempts, job.waiting))
        units = job.waiting[:1] if is_suspect else fresh[:most]
        job.waiting = job.waiting[len(units) :]
        fence = next(self._fences)
        self._leases[fence] = HeldLease(job, list(units), is_suspect)
        job.become(state=JobState.RUNNING, started=job.row.started or time.time())
        begun = begin and bool(units) and not is_suspect
        if begun:
            self.start(fence, units[0])
        lane = job.new.lane
        left = sum(len(one.waiting) for one in self._jobs.values() if one.new.lane == lane)
        end = (job.has_ended_all, tried, left, 0, job.new.priority, begun, is_suspect, lane)
        return Slice(fence, job.row.id, tuple(units), *end, job.new.units)

    def start_together(self, units: Sequence[tuple[int, int]]) -> list[Directive]:
        """See `Ledger.start_together`."""
        return [self._start(fence, unit) for fence, unit in units]

    def _start(self, fence: int, unit: int) -> Directive:
        directive, lease = self._look_up(fence)
        if directive is Directive.OK and unit not in lease.open:
            return Directive.LOST
        if directive is Directive.OK and unit not in lease.begun:
            lease.begun.add(unit)
            lease.job.attempts[unit] = lease.job.attempts.get(unit, 0) + 1
        return directive

    def note(self, job_id: str, message: str) -> None:
        """Do nothing: there are no watchers."""

    def directives(self, holder: str) -> Channel:
        """A channel without messages."""
        return cast("Channel", Silence())

    def progress_together(
        self, units: Sequence[tuple[int, int]], step: int, steps: int, age_s: float = 0.0
    ) -> list[StepReply]:
        """The directive for each slice; the step is not recorded, and nobody watches."""
        return [StepReply(self._look_up(fence)[0], False) for fence, _ in units]

    def commit(self, fence: int, unit: int, output: dict[str, Any]) -> UnitOutcome:
        """See `Ledger.commit`."""
        return self._end(fence, unit, output, UnitOutcome.OK)

    def fail(self, fence: int, unit: int, error: Exception, *, retry: bool) -> UnitOutcome:
        """See `Ledger.fail`; retries wait without a backoff."""
        directive, lease = self._look_up(fence)
        if directive in (Directive.OK, Directive.YIELD) and unit in lease.open and retry:
            job, attempts = lease.job, lease.job.attempts
            attempts[unit] = attempts.get(unit, 0) + (unit not in lease.begun)
            if attempts[unit] < getattr(error, "most_attempts", MAX_ATTEMPTS):
                lease.open.remove(unit)
                job.wait_again([unit])
                return UnitOutcome.RETRY
        what = {"error": type(error).__name__, "message": str(error)}
        return self._end(fence, unit, what, UnitOutcome.FAILED)

    def finish(self, fence: int, reason: str = "") -> str:
        """End a job whose result is written; returns its state, or ``lost``."""
        lease = self._leases.pop(fence, None)
        if lease is None:
            return "lost"
        job = lease.job
        if job.row.state is JobState.RUNNING and job.has_ended_all:
            state = JobState.FAILED if job.row.failed else JobState.SUCCEEDED
            job.become(state=state, reason=reason if job.row.failed else "", finished=time.time())
        return str(job.row.state)

    def release(
        self, fence: int, holder: str, park_ms: int = 0, reason: str = "", unserved: int = -1
    ) -> None:
        """Give the rest of a slice back without counting an attempt."""
        if park_ms or unserved >= 0:
            raise NotInMemory("no lane of the ledger in memory rests, and no unit waits for others")
        lease = self._leases.pop(fence, None)
        if lease is None or lease.job.row.state is not JobState.RUNNING:
            return
        job = lease.job
        for unit in lease.begun & set(lease.open):
            job.attempts[unit] -= 1
            if not lease.again:
                del job.attempts[unit]
        job.wait_again(lease.open)
        if not job.ended and not any(one.job is job for one in self._leases.values()):
            job.become(state=JobState.QUEUED)

    # -- inside ------------------------------------------------------------------------------

    def _check_room(self, units: int) -> None:
        alive = [job for job in self._jobs.values() if not job.row.state.is_terminal]
        held = sum(job.new.units - len(job.ended) for job in alive)
        if held + units > self.queue_limit:
            raise farm_full(held, self.queue_limit)

    def _job(self, job_id: str) -> HeldJob:
        if job_id not in self._jobs:
            raise unknown_job(job_id)
        return self._jobs[job_id]

    def _next_job(self, lane: str) -> HeldJob | None:
        ready = [job for job in self._jobs.values() if job.new.lane == lane and self._is_ready(job)]
        return min(ready, key=lambda one: one.new.priority, default=None)

    def _is_ready(self, job: HeldJob) -> bool:
        if job.row.state.is_terminal or job.row.paused:
            return False
        is_leased = any(lease.job is job for lease in self._leases.values())
        return bool(job.waiting) or (job.has_ended_all and not is_leased)

    def _look_up(self, fence: int) -> tuple[Directive, HeldLease]:
        lease = self._leases.get(fence)
        if lease is None:
            return Directive.LOST, HeldLease(cast("HeldJob", None), [])
        if lease.job.row.state is not JobState.RUNNING:
            return Directive.CANCEL, lease
        return (Directive.YIELD if lease.job.row.paused else Directive.OK), lease

    def _end(self, fence: int, unit: int, row: dict[str, Any], counted: UnitOutcome) -> UnitOutcome:
        directive, lease = self._look_up(fence)
        if directive in (Directive.LOST, Directive.CANCEL):
            return UnitOutcome(directive.value)
        job = lease.job
        if unit in lease.open:
            lease.open.remove(unit)
            job.ended[unit] = row
            job.attempts.pop(unit, None)
        elif unit not in job.ended:
            return UnitOutcome.LOST
        if job.has_ended_all:
            return UnitOutcome.LAST
        if not lease.open:
            del self._leases[fence]
        return counted
