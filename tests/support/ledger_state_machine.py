"""A small model of what must hold of the ledger, and everything that may be done to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from support.audited_farm import AuditedFarm
from support.modelled_jobs import ALIVE, Held, Job
from winepress_shared.errors import Conflict
from winepress_shared.ledger.ledger import holder_of
from winepress_shared.ledger.records import Directive, Slice, UnitOutcome
from winepress_shared.state import JobState

LANES = ("vignette.fp16", "vignette.int8")
WORKERS = ("w1", "w2")
USERS = ("ada", "1e5")


class LedgerMachine(RuleBasedStateMachine):
    """Jobs are submitted, drawn, lost, stopped and retried in any order."""

    url = ""
    jobs = Bundle("jobs")
    slices = Bundle("slices")

    @initialize()
    def open_farm(self) -> None:
        self.farm = AuditedFarm(self.url)
        self.model: dict[str, Job] = {}
        self.held: list[Held] = []
        self.pids = dict.fromkeys(WORKERS, 1)
        self.overdue: list[Job] = []

    def teardown(self) -> None:
        if hasattr(self, "farm"):
            self.farm.close()

    # -- what users do -----------------------------------------------------------------------

    @rule(
        target=jobs,
        units=st.integers(1, 7),
        user=st.sampled_from(USERS),
        priority=st.integers(0, 2),
        lane=st.sampled_from(LANES),
        chained=st.booleans(),
        is_pending=st.sampled_from((False, False, True)),
        alike=st.sampled_from((None, "a1")),
    )
    def submit(self, units: int, chained: bool, is_pending: bool, **fields: Any) -> Job:
        job = Job(f"j{len(self.model):04d}", units, chained, is_pending=is_pending)
        enter = self.farm.hold if is_pending else self.farm.submit
        enter(job.id, units, chained=chained, **fields)
        self.model[job.id] = job
        return job

    @rule(job=jobs)
    def accept(self, job: Job) -> None:
        is_first, job.is_pending = job.is_pending and job.state in ALIVE, False
        assert self.farm.accept(job.id) == ("accepted" if is_first else "earlier", job.id)

    @rule(job=jobs, verb=st.sampled_from(["cancel", "pause", "resume"]))
    def control(self, job: Job, verb: str) -> None:
        if job.state in ALIVE:
            self.farm.ledger.control(job.id, verb)
            if verb == "cancel":
                job.state = JobState.CANCELED
        elif not (verb == "cancel" and job.state is JobState.CANCELED):
            with pytest.raises(Conflict):
                self.farm.ledger.control(job.id, verb)

    @rule(job=jobs)
    def retry(self, job: Job) -> None:
        if job.state in ALIVE and job.failed and not job.has_ended_all:
            assert self.farm.ledger.control(job.id, "retry") is job.state
            job.failed = set()
            return
        if job.state in ALIVE or job.state is JobState.SUCCEEDED:
            with pytest.raises(Conflict):
                self.farm.ledger.control(job.id, "retry")
            return
        assert self.farm.ledger.control(job.id, "retry") is JobState.QUEUED
        job.state, job.failed, job.is_pending = JobState.QUEUED, set(), False
        for held in self.held:
            if held.job is job:
                held.is_live = False

    @rule(job=jobs, swept=st.booleans())
    def pass_deadline(self, job: Job, swept: bool) -> None:
        if job.state in ALIVE:
            self.farm.pass_deadline(job.id, swept=swept)
            if swept:
                job.state = JobState.EXPIRED
                self._note_expiries()
            else:
                self.overdue.append(job)

    @rule(job=jobs)
    def make_due(self, job: Job) -> None:
        self.farm.make_due(job.id)
        self._note_expiries()

    # -- what workers do ---------------------------------------------------------------------

    @rule(
        target=slices,
        worker=st.sampled_from(WORKERS),
        lane=st.sampled_from(LANES),
        most=st.integers(1, 4),
        together=st.integers(1, 4),
        others_first=st.booleans(),
    )
    def claim(
        self, worker: str, lane: str, most: int, together: int, others_first: bool
    ) -> MultipleResults[Held]:
        holder = holder_of(worker, self.pids[worker])
        terms = (lane, worker, holder, most, together)
        slices = self.farm.ledger.claim_together(*terms, others_first=others_first)
        self._note_expiries()
        assert len(slices) <= 1 or sum(len(slice_.units) for slice_ in slices) <= together
        assert len(slices) <= 1 or not any(slice_.alone for slice_ in slices)
        return multiple(*[self._take_up(slice_, worker, most) for slice_ in slices])

    def _take_up(self, slice_: Slice, worker: str, most: int) -> Held:
        job = self.model[slice_.job_id]
        assert job.state in ALIVE, "a job that was over was handed out"
        assert not job.is_pending, "a job was handed out before it was accepted"
        others = [
            held for held in self.held if held.job is job and held.is_live and self._open(held)
        ]
        taken = set().union(*(held.open for held in others))
        assert not set(slice_.units) & (job.done | job.failed | taken), (
            "a unit was handed out twice"
        )
        assert slice_.finish is job.has_ended_all
        assert slice_.finish or 1 <= len(slice_.units) <= most
        if job.chained:
            assert not others, "two slices of a chain at once"
            first = min(set(range(job.units)) - job.done, default=0)
            assert slice_.finish or list(slice_.units) == list(
                range(first, first + len(slice_.units))
            )
        job.state = JobState.RUNNING
        holder = holder_of(worker, self.pids[worker])
        held = Held(slice_, job, worker, holder, set(slice_.units), finish=slice_.finish)
        self.held.append(held)
        return held

    def _open(self, held: Held) -> bool:
        return bool(held.open) or held.finish

    def _note_expiries(self) -> None:
        """Claims end the jobs they meet whose deadline has passed; sweeps end all of them."""
        for job in self.overdue:
            if job.state in ALIVE and self.farm.state(job.id) == JobState.EXPIRED:
                job.state = JobState.EXPIRED

    @rule(held=slices, index=st.integers(0, 6))
    def start(self, held: Held, index: int) -> None:
        directive = self.farm.ledger.start(held.slice.fence, self._unit(held, index))
        if not held.is_live or held not in self.held:
            assert directive in (Directive.LOST, Directive.CANCEL)

    @rule(held=slices, index=st.integers(0, 6))
    def commit(self, held: Held, index: int) -> None:
        unit, job = self._unit(held, index), held.job
        outcome = self.farm.ledger.commit(held.slice.fence, unit, {"key": "k"})
        is_early = job.chained and unit in held.open and unit != min(held.open)
        if not held.may_report or unit not in held.open or is_early:
            assert outcome in (UnitOutcome.LOST, UnitOutcome.CANCEL) or unit in job.done
            if not held.may_report:
                held.open.discard(unit)
            return
        held.open.discard(unit)
        job.done.add(unit)
        assert (outcome is UnitOutcome.LAST) is job.has_ended_all
        held.finish = job.has_ended_all

    @rule(held=slices, index=st.integers(0, 6), retry=st.booleans())
    def fail(self, held: Held, index: int, retry: bool) -> None:
        unit, job = self._unit(held, index), held.job
        before = self.farm.ledger.get(job.id)
        outcome = self.farm.fail(held.slice, unit, retry=retry)
        if not held.may_report or unit not in held.open:
            if held.finish and unit in job.done and outcome is UnitOutcome.FAILED:
                job.state, held.is_live = JobState.FAILED, False  # the result is at fault
                return
            assert outcome in (UnitOutcome.LOST, UnitOutcome.CANCEL, UnitOutcome.LAST)
            assert self.farm.ledger.get(job.id) == before
            held.open.discard(unit)
            return
        assert outcome is not UnitOutcome.LOST
        given_up = self.farm.places(job.id)["failed"]
        assert (unit in given_up) is (outcome is not UnitOutcome.RETRY)
        assert outcome is not UnitOutcome.RETRY or retry or job.chained
        job.failed = given_up
        held.open = set() if job.chained else held.open - {unit}
        held.finish = outcome is UnitOutcome.LAST
        assert held.finish is job.has_ended_all

    @rule(held=slices)
    def finish(self, held: Held) -> None:
        job = held.job
        state = self.farm.ledger.finish(held.slice.fence, "told to")
        if held.may_report and held.finish:
            job.state = JobState.FAILED if job.failed else JobState.SUCCEEDED
            assert state == job.state
            held.finish = held.is_live = False
        elif not held.may_report:
            held.is_live = False

    @rule(held=consumes(slices), unserved=st.integers(-1, 6))
    def release(self, held: Held, unserved: int) -> None:
        self.farm.ledger.release(held.slice.fence, held.holder, unserved=unserved)
        self._take(lambda one: one is held)

    @rule(worker=st.sampled_from(WORKERS), fresh=st.booleans())
    def beat(self, worker: str, fresh: bool) -> None:
        self.pids[worker] += fresh
        holder = holder_of(worker, self.pids[worker])
        heartbeat = self.farm.ledger.beat(worker, holder, {})
        self._take(lambda held: held.worker == worker and held.holder != holder)
        told = {lease.fence: lease.directive for lease in heartbeat.leases}
        for held in self.held:
            if held.holder == holder and held.may_report and self._open(held):
                assert told[held.slice.fence] in (Directive.OK, Directive.YIELD)

    @rule(held=slices)
    def lose(self, held: Held) -> None:
        is_known = self.farm.redis.zscore(self.farm.key("leases"), str(held.slice.fence))
        self.farm.lose(held.slice)
        self._note_expiries()
        if is_known is not None:
            self._take(lambda one: one is held)

    @rule(worker=st.sampled_from(WORKERS))
    def leave(self, worker: str) -> None:
        self.farm.ledger.leave(worker)
        self._take(lambda held: held.worker == worker)

    def _take(self, is_taken: Callable[[Held], bool]) -> None:
        self._note_expiries()
        for held in self.held:
            if is_taken(held):
                held.is_live = False
        for job in self.model.values():
            if job.state is JobState.RUNNING:  # a lost worker may have been the last chance
                given_up = self.farm.places(job.id)["failed"]
                assert given_up >= job.failed
                job.failed = given_up
                job.state = JobState(self.farm.state(job.id))
                assert job.state in ALIVE

    def _unit(self, held: Held, index: int) -> int:
        return held.slice.units[index % len(held.slice.units)] if held.slice.units else index

    # -- what must hold ----------------------------------------------------------------------

    @invariant()
    def books_agree(self) -> None:
        for job_id, row in self.farm.audit().items():
            job = self.model[job_id]
            found = (row["state"], int(row["done"]), int(row["failed"]))
            assert found == (job.state, len(job.done), len(job.failed)), job
