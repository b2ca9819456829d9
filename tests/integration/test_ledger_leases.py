"""Leases and fences: who may report what, and what becomes of a worker that does not come back."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from support.audited_farm import LANE, AuditedFarm

from winepress_shared.errors import WinepressError
from winepress_shared.ledger.ledger import LEASE_MS, MAX_ATTEMPTS, Ledger
from winepress_shared.ledger.records import Directive, Slice, UnitOutcome

OUTPUT = {"key": "k"}


def test_three_lost_workers_give_up_the_poison_unit_and_nothing_else(farm: AuditedFarm) -> None:
    """The unit that kills whoever draws it is quarantined; its neighbours are drawn."""
    farm.submit("job", 6)
    deaths = 0
    while slice_ := farm.try_claim():
        outcome = None
        for unit in slice_.units:
            farm.ledger.start(slice_.fence, unit)
            if unit == 2:
                deaths += 1
                farm.lose(slice_)
                break
            outcome = farm.ledger.commit(slice_.fence, unit, OUTPUT)
        if slice_.finish or outcome is UnitOutcome.LAST:
            farm.ledger.finish(slice_.fence, "unit 2 killed its workers")
    row = farm.ledger.get("job")
    assert (deaths, row.state, row.done, row.failed) == (MAX_ATTEMPTS, "failed", 5, 1)
    assert farm.ledger.outputs("job")[2]["error"] == "WorkerLost"


def test_a_model_that_kills_whoever_loads_it_is_not_loaded_for_ever(farm: AuditedFarm) -> None:
    """No unit was begun: the first of the slice stands for it, and then waits alone."""
    farm.submit("job", 2)
    farm.submit("other", user="bob")
    for pid in range(1, MAX_ATTEMPTS + 1):
        slice_ = farm.claim(most=2, pid=pid)
        while slice_.job_id != "job":
            farm.draw(slice_)
            farm.ledger.finish(slice_.fence)
            slice_ = farm.claim(most=2, pid=pid)
        assert (slice_.units, slice_.attempts) == ((0,), pid - 1)
        farm.ledger.beat("w1", f"w1/{pid + 1}", {})
    assert farm.ledger.outputs("job")[0]["error"] == "WorkerLost"
    assert farm.claim().units == (1,)


def test_a_lost_lease_is_handed_on_and_its_fence_proves_nothing(farm: AuditedFarm) -> None:
    """A worker that was frozen and thaws: every report of it is refused, nothing is counted."""
    farm.submit("job", 2)
    frozen = farm.claim(most=2)
    farm.ledger.start(frozen.fence, 0)
    farm.lose(frozen)
    second = farm.claim(worker="w2")
    assert second.fence > frozen.fence
    before = farm.ledger.get("job")
    assert farm.ledger.start(frozen.fence, 0) is Directive.LOST
    assert farm.ledger.progress(frozen.fence, 0, 1, 2) is Directive.LOST
    assert farm.ledger.commit(frozen.fence, 0, OUTPUT) is UnitOutcome.LOST
    assert farm.fail(frozen, 0, retry=False) is UnitOutcome.LOST
    assert farm.ledger.finish(frozen.fence) == "lost"
    farm.ledger.release(frozen.fence, "w1/1")
    assert farm.ledger.get("job") == before
    assert farm.draw(second) == [UnitOutcome.OK]


def test_what_its_holder_has_not_in_hand_is_handed_on_at_once(farm: AuditedFarm) -> None:
    """As after a restart without the last commits: it would be renewed and never worked on."""
    farm.submit("job", 40)
    one, whole, less, others = [farm.claim(most=2, worker=w) for w in ("w1", "w1", "w1", "w2")]
    farm.ledger.start(one.fence, 0)
    farm.ledger.disown("w1/1", {whole.fence: whole.units, less.fence: less.units[1:]})
    assert farm.ledger.start(one.fence, 0) is Directive.LOST
    assert farm.ledger.start(less.fence, less.units[1]) is Directive.LOST
    assert farm.draw(whole) == farm.draw(others) == [UnitOutcome.OK] * 2
    again = farm.claim(most=4, worker="w2")
    assert (again.units, again.attempts) == (one.units + less.units, 0)


def test_every_report_may_be_sent_twice(farm: AuditedFarm) -> None:
    """The answer to the first may have been lost on its way."""
    farm.submit("job", 4)
    slice_ = farm.claim(most=4)
    assert slice_.units == (0, 1)
    assert [farm.ledger.start(slice_.fence, 0) for _ in range(2)] == [Directive.OK] * 2
    assert [farm.draw_one(slice_, 0) for _ in range(2)] == [UnitOutcome.OK] * 2
    assert farm.fail(slice_, 1) is UnitOutcome.RETRY
    assert farm.fail(slice_, 1) is UnitOutcome.LOST
    farm.work_off()
    farm.make_due("job")
    last = farm.claim()
    for _ in range(2):
        assert farm.fail(last, 1, retry=False) is UnitOutcome.LAST
    row = farm.ledger.get("job")
    assert (row.done, row.failed) == (3, 1)


def test_an_attempt_is_counted_once_however_often_it_is_announced(farm: AuditedFarm) -> None:
    """Three lost answers in a row must not look like three dead workers."""
    farm.submit("job")
    slice_ = farm.claim()
    for _ in range(MAX_ATTEMPTS + 1):
        assert farm.ledger.start(slice_.fence, 0) is Directive.OK
    farm.lose(slice_)
    assert farm.claim().attempts == 1


def test_a_claim_whose_answer_was_lost_gets_the_same_slice_again(
    farm: AuditedFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody would work on the first slice, while its worker lives and beats."""
    farm.submit("job", 8)
    run = farm.ledger._run

    def cut(*call: Any) -> object:
        run(*call)
        raise WinepressError("cut")

    monkeypatch.setattr(farm.ledger, "_run", cut)
    with pytest.raises(WinepressError):
        farm.try_claim()
    monkeypatch.undo()
    assert farm.claim().units == (0, 1, 2, 3)
    assert farm.claim().units == (4, 5)
    assert len(farm.ledger.beat("w1", "w1/1", {}).leases) == 2


def test_a_worker_commits_only_units_of_its_slice(farm: AuditedFarm) -> None:
    """A confused worker cannot count what it was never given, nor end the job."""
    farm.submit("job", 4)
    mine, other = farm.claim(most=1), farm.claim(most=1, worker="w2")
    for unit in (other.units[0], 3, 99, -1):
        assert farm.ledger.commit(mine.fence, unit, OUTPUT) is UnitOutcome.LOST
        assert farm.fail(mine, unit) is UnitOutcome.LOST
        assert farm.ledger.start(mine.fence, unit) is Directive.LOST
    assert farm.ledger.finish(mine.fence) == "running"
    assert farm.ledger.get("job").done == 0


def test_a_beat_under_a_new_process_frees_the_leases_of_the_old_one_at_once(
    farm: AuditedFarm,
) -> None:
    """Nobody waits for a lease of a renderer that is known to be dead; its attempt counts."""
    farm.submit("job")
    old = farm.claim(pid=1)
    farm.ledger.start(old.fence, 0)
    assert farm.ledger.beat("w1", "w1/0", {}).leases == ()
    again = farm.claim(pid=2)
    assert (again.units, again.attempts) == ((0,), 1)
    heartbeat = farm.ledger.beat("w1", "w1/2", {})
    assert [lease.fence for lease in heartbeat.leases] == [again.fence]


def test_a_beat_tells_of_each_slice_and_prolongs_its_lease(farm: AuditedFarm) -> None:
    """Unit, steps and lane of what is in hand; the deadline is a whole lease away again."""
    farm.submit("job", 2)
    slice_ = farm.claim(most=1)
    farm.ledger.start(slice_.fence, 0)
    farm.ledger.progress(slice_.fence, 0, 3, 20)
    farm.redis.zadd(farm.key("leases"), {str(slice_.fence): 1})
    farm.ledger.describe_renderer("w1", {"step_s": 0.5})
    reply = farm.ledger.beat("w1", "w1/1", {"device": "CPU"})
    (lease,) = reply.leases
    assert (lease.fence, lease.directive, lease.unit) == (slice_.fence, Directive.OK, 0)
    assert (lease.lane, lease.steps, reply.renderer) == (LANE, 20, {"step_s": 0.5})
    assert 0 <= lease.idle_ms < 10_000
    assert _left_ms(farm, slice_) > 0.9 * LEASE_MS
    (worker,) = farm.ledger.workers()
    assert (worker.name, worker.facts, worker.renderer) == ("w1", {"device": "CPU"}, reply.renderer)


def test_the_step_clock_runs_between_the_first_and_the_last_step_of_each_unit(
    farm: AuditedFarm,
) -> None:
    """Before them a model is loaded, after them a store may be slow: neither is stuck."""
    farm.submit("job", 4)
    slice_ = farm.claim(most=2)
    assert slice_.units == (0, 1)
    seen = []
    for unit in slice_.units:
        farm.ledger.start(slice_.fence, unit)
        for step in (0, 1, 19, 20):
            if step:
                farm.ledger.progress(slice_.fence, unit, step, 20)
            seen += [lease.steps for lease in farm.ledger.beat("w1", "w1/1", {}).leases]
    assert seen == [0, 20, 20, 0] * 2


def test_after_an_outage_leases_are_prolonged_not_ended(farm: AuditedFarm) -> None:
    """Nobody could beat while the broker was away; whoever comes back goes on."""
    farm.submit("job")
    slice_ = farm.claim()
    farm.redis.zadd(farm.key("leases"), {str(slice_.fence): 1})
    farm.sweep(after_outage=True)
    assert _left_ms(farm, slice_) > 0.9 * LEASE_MS
    assert farm.draw(slice_) == [UnitOutcome.LAST]


def test_an_outage_a_little_shorter_than_a_lease_ends_none_either(farm: AuditedFarm) -> None:
    """Leases that are about to run out when the broker comes back get their time too."""
    farm.submit("job")
    slice_ = farm.claim()
    now, _ = farm.redis.time()
    farm.redis.zadd(farm.key("leases"), {str(slice_.fence): now * 1000 - 1})
    farm.redis.set(farm.key("swept"), now * 1000 - LEASE_MS + 4_000)
    assert farm.ledger.sweep() is not None
    assert farm.draw(slice_) == [UnitOutcome.LAST]


def test_only_one_of_many_parents_sweeps(farm: AuditedFarm) -> None:
    """The others are told that it was just done; a clock that was set back stops nobody."""
    assert farm.ledger.sweep() == []
    assert farm.ledger.sweep() is None
    now, _ = farm.redis.time()
    farm.redis.set(farm.key("swept"), (now + 3600) * 1000)
    assert farm.ledger.sweep() == []


def test_a_worker_that_leaves_hands_everything_on_at_once(farm: AuditedFarm) -> None:
    """No lease runs out, no attempt counts, the worker is not listed any more."""
    farm.submit("job", 2)
    farm.ledger.beat("w1", "w1/1", {})
    farm.ledger.start(farm.claim().fence, 0)
    farm.ledger.leave("w1")
    assert farm.ledger.workers() == []
    again = farm.claim(worker="w2")
    assert (again.units, again.attempts) == ((0,), 0)


def test_a_worker_that_stopped_beating_is_forgotten(farm: AuditedFarm) -> None:
    """Gone after a minute: for whoever asks, and at the next sweep for good."""
    farm.ledger.beat("w1", "w1/1", {})
    farm.redis.zadd(farm.key("workers"), {"w1": 1})
    assert farm.ledger.workers() == []
    farm.sweep()
    assert farm.redis.exists(farm.key("workers"), farm.key("worker", "w1")) == 0


def test_the_result_of_a_job_is_written_by_somebody_else_when_its_worker_is_lost(
    farm: AuditedFarm,
) -> None:
    """All pictures are there: the next claim brings a slice without units."""
    farm.submit("job", 2)
    farm.draw(farm.claim())
    last = farm.claim()
    assert farm.draw(last) == [UnitOutcome.LAST]
    assert farm.try_claim() is None
    farm.lose(last)
    assert farm.ledger.finish(last.fence) == "lost"
    rescue = farm.claim(worker="w2")
    assert (rescue.finish, rescue.units) == (True, ())
    farm.ledger.release(rescue.fence, "w2/1", 1, "the store is down")
    farm.redis.delete(farm.key("parked", LANE))
    again = farm.claim(worker="w2")
    assert farm.ledger.finish(again.fence) == "succeeded"
    assert farm.try_claim() is None


def test_a_result_that_cannot_be_written_ends_the_job(farm: AuditedFarm) -> None:
    """Not the store's fault: nothing would change by trying again."""
    farm.submit("job")
    slice_ = farm.claim()
    farm.draw(slice_)
    assert farm.fail(slice_, -1) is UnitOutcome.FAILED
    row = farm.ledger.get("job")
    assert (row.state, row.done) == ("failed", 1)
    assert "result could not be written" in row.reason
    farm.ledger.control("job", "retry")
    assert farm.claim().finish


def test_fences_only_rise_even_when_the_ledger_lost_its_end(farm: AuditedFarm) -> None:
    """A counter that fell back must not number a new slice like an old one."""
    farm.submit("job", 3)
    first = farm.claim(most=1)
    farm.redis.set(farm.key("fence"), first.fence - 1)  # as a truncated file would leave it
    with closing(Ledger(farm.settings)) as restarted:
        second = restarted.claim(LANE, "w2", "w2/1", 1)
    assert second is not None
    assert second.fence > first.fence


def _left_ms(farm: AuditedFarm, slice_: Slice) -> float:
    seconds, _ = farm.redis.time()
    deadline = farm.redis.zscore(farm.key("leases"), str(slice_.fence))
    assert deadline is not None
    return float(deadline) - seconds * 1000
