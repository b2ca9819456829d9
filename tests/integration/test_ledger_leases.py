"""Leases and fences: who may report what, and what becomes of a worker that does not come back."""

from __future__ import annotations

import pytest
from clerk import LANE, Clerk

from winepress_shared.errors import WinepressError
from winepress_shared.ledger.ledger import LEASE_MS, MAX_ATTEMPTS, Ledger
from winepress_shared.ledger.records import Order, Slice, UnitOutcome
from winepress_worker.parent.supervisor import WorkerSupervisor

OUTPUT = {"key": "k"}


def test_three_lost_workers_give_up_the_poison_unit_and_nothing_else(clerk: Clerk) -> None:
    """The unit that kills whoever draws it is quarantined; its neighbours are drawn."""
    clerk.submit("job", 6)
    deaths = 0
    while part := clerk.try_claim():
        outcome = None
        for unit in part.units:
            clerk.ledger.start(part.fence, unit)
            if unit == 2:
                deaths += 1
                clerk.lose(part)
                break
            outcome = clerk.ledger.commit(part.fence, unit, OUTPUT)
        if part.finish or outcome is UnitOutcome.LAST:
            clerk.ledger.finish(part.fence, "unit 2 killed its workers")
    row = clerk.ledger.get("job")
    assert (deaths, row.state, row.done, row.failed) == (MAX_ATTEMPTS, "failed", 5, 1)
    assert clerk.ledger.outputs("job")[2]["error"] == "WorkerLost"


def test_a_model_that_kills_whoever_loads_it_is_not_loaded_for_ever(clerk: Clerk) -> None:
    """No unit was begun: the first of the slice stands for it, and then waits alone."""
    clerk.submit("job", 2)
    clerk.submit("other", user="bob")
    for pid in range(1, MAX_ATTEMPTS + 1):
        part = clerk.claim(most=2, pid=pid)
        while part.job_id != "job":
            clerk.draw(part)
            clerk.ledger.finish(part.fence)
            part = clerk.claim(most=2, pid=pid)
        assert (part.units, part.attempts) == ((0,), pid - 1)
        clerk.ledger.beat("w1", f"w1/{pid + 1}", {})
    assert clerk.ledger.outputs("job")[0]["error"] == "WorkerLost"
    assert clerk.claim().units == (1,)


def test_a_lost_lease_is_handed_on_and_its_fence_proves_nothing(clerk: Clerk) -> None:
    """A worker that was frozen and thaws: every report of it is refused, nothing is counted."""
    clerk.submit("job", 2)
    frozen = clerk.claim(most=2)
    clerk.ledger.start(frozen.fence, 0)
    clerk.lose(frozen)
    second = clerk.claim(worker="w2")
    assert second.fence > frozen.fence
    before = clerk.ledger.get("job")
    assert clerk.ledger.start(frozen.fence, 0) is Order.LOST
    assert clerk.ledger.progress(frozen.fence, 0, 1, 2) is Order.LOST
    assert clerk.ledger.commit(frozen.fence, 0, OUTPUT) is UnitOutcome.LOST
    assert clerk.fail(frozen, 0, retry=False) is UnitOutcome.LOST
    assert clerk.ledger.finish(frozen.fence) == "lost"
    clerk.ledger.release(frozen.fence, "w1/1")
    assert clerk.ledger.get("job") == before
    assert clerk.draw(second) == [UnitOutcome.OK]


def test_what_its_holder_has_not_in_hand_is_handed_on_at_once(clerk: Clerk) -> None:
    """As after a restart without the last commits: it would be renewed and never worked on."""
    clerk.submit("job", 40)
    one, whole, less, others = [clerk.claim(most=2, worker=w) for w in ("w1", "w1", "w1", "w2")]
    clerk.ledger.start(one.fence, 0)
    clerk.ledger.disown("w1/1", {whole.fence: whole.units, less.fence: less.units[1:]})
    assert clerk.ledger.start(one.fence, 0) is Order.LOST
    assert clerk.ledger.start(less.fence, less.units[1]) is Order.LOST
    assert clerk.draw(whole) == clerk.draw(others) == [UnitOutcome.OK] * 2
    again = clerk.claim(most=4, worker="w2")
    assert (again.units, again.attempts) == (one.units + less.units, 0)


def test_every_report_may_be_sent_twice(clerk: Clerk) -> None:
    """The answer to the first may have been lost on its way."""
    clerk.submit("job", 4)
    part = clerk.claim(most=4)
    assert part.units == (0, 1)
    assert [clerk.ledger.start(part.fence, 0) for _ in range(2)] == [Order.OK] * 2
    assert [clerk.draw_one(part, 0) for _ in range(2)] == [UnitOutcome.OK] * 2
    assert clerk.fail(part, 1) is UnitOutcome.RETRY
    assert clerk.fail(part, 1) is UnitOutcome.LOST
    clerk.work_off()
    clerk.make_due("job")
    last = clerk.claim()
    for _ in range(2):
        assert clerk.fail(last, 1, retry=False) is UnitOutcome.LAST
    row = clerk.ledger.get("job")
    assert (row.done, row.failed) == (3, 1)


def test_an_attempt_is_counted_once_however_often_it_is_announced(clerk: Clerk) -> None:
    """Three lost answers in a row must not look like three dead workers."""
    clerk.submit("job")
    part = clerk.claim()
    for _ in range(MAX_ATTEMPTS + 1):
        assert clerk.ledger.start(part.fence, 0) is Order.OK
    clerk.lose(part)
    assert clerk.claim().attempts == 1


def test_a_claim_whose_answer_was_lost_gets_the_same_slice_again(
    clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody would work on the first slice, while its worker lives and beats."""
    clerk.submit("job", 8)
    server, run = clerk.ledger._server, clerk.ledger._server.run_together

    def cut(*calls: tuple[str | float, ...]) -> object:
        run(*calls)
        raise WinepressError("cut")

    monkeypatch.setattr(server, "run_together", cut)
    with pytest.raises(WinepressError):
        clerk.try_claim()
    monkeypatch.undo()
    assert clerk.claim().units == (0, 1, 2, 3)
    assert clerk.claim().units == (4, 5)
    assert len(clerk.ledger.beat("w1", "w1/1", {}).leases) == 2


def test_a_worker_commits_only_units_of_its_slice(clerk: Clerk) -> None:
    """A confused worker cannot count what it was never given, nor end the job."""
    clerk.submit("job", 4)
    mine, other = clerk.claim(most=1), clerk.claim(most=1, worker="w2")
    for unit in (other.units[0], 3, 99, -1):
        assert clerk.ledger.commit(mine.fence, unit, OUTPUT) is UnitOutcome.LOST
        assert clerk.fail(mine, unit) is UnitOutcome.LOST
        assert clerk.ledger.start(mine.fence, unit) is Order.LOST
    assert clerk.ledger.finish(mine.fence) == "running"
    assert clerk.ledger.get("job").done == 0


def test_a_beat_under_a_new_process_frees_the_leases_of_the_old_one_at_once(clerk: Clerk) -> None:
    """Nobody waits for a lease of a renderer that is known to be dead; its attempt counts."""
    clerk.submit("job")
    old = clerk.claim(pid=1)
    clerk.ledger.start(old.fence, 0)
    assert clerk.ledger.beat("w1", "w1/0", {}).leases == ()
    again = clerk.claim(pid=2)
    assert (again.units, again.attempts) == ((0,), 1)
    heartbeat = clerk.ledger.beat("w1", "w1/2", {})
    assert [lease.fence for lease in heartbeat.leases] == [again.fence]


def test_a_worker_that_is_back_under_the_same_process_id_keeps_no_lease_of_its_earlier_life(
    clerk: Clerk,
) -> None:
    """In a container the number is the same; the new renderer knows nothing of that slice."""
    clerk.submit("job")
    part = clerk.claim()
    clerk.ledger.start(part.fence, 0)
    WorkerSupervisor(clerk.ledger, "w1", {}, lambda: 1, lambda lane, count: None, dict).arrive()
    again = clerk.claim()
    assert (again.fence > part.fence, again.attempts) == (True, 1)


def test_a_beat_tells_of_each_slice_and_prolongs_its_lease(clerk: Clerk) -> None:
    """Unit, steps and lane of what is in hand; the deadline is a whole lease away again."""
    clerk.submit("job", 2)
    part = clerk.claim(most=1)
    clerk.ledger.start(part.fence, 0)
    clerk.ledger.progress(part.fence, 0, 3, 20)
    clerk.redis.zadd(clerk.key("leases"), {str(part.fence): 1})
    clerk.ledger.describe_renderer("w1", {"step_s": 0.5})
    reply = clerk.ledger.beat("w1", "w1/1", {"device": "CPU"})
    (lease,) = reply.leases
    assert (lease.fence, lease.order, lease.unit, lease.steps) == (part.fence, Order.OK, 0, 20)
    assert (lease.lane, reply.renderer) == (LANE, {"step_s": 0.5})
    assert 0 <= lease.idle_ms < 10_000
    assert _left_ms(clerk, part) > 0.9 * LEASE_MS
    (worker,) = clerk.ledger.workers()
    assert (worker.name, worker.facts, worker.renderer) == ("w1", {"device": "CPU"}, reply.renderer)


def test_the_step_clock_runs_between_the_first_and_the_last_step_of_each_unit(
    clerk: Clerk,
) -> None:
    """Before them a model is loaded, after them a store may be slow: neither is stuck."""
    clerk.submit("job", 4)
    part = clerk.claim(most=2)
    assert part.units == (0, 1)
    seen = []
    for unit in part.units:
        clerk.ledger.start(part.fence, unit)
        for step in (0, 1, 19, 20):
            if step:
                clerk.ledger.progress(part.fence, unit, step, 20)
            seen += [lease.steps for lease in clerk.ledger.beat("w1", "w1/1", {}).leases]
    assert seen == [0, 20, 20, 0] * 2


def test_after_an_outage_leases_are_prolonged_not_ended(clerk: Clerk) -> None:
    """Nobody could beat while the broker was away; whoever comes back goes on."""
    clerk.submit("job")
    part = clerk.claim()
    clerk.redis.zadd(clerk.key("leases"), {str(part.fence): 1})
    clerk.sweep(after_outage=True)
    assert _left_ms(clerk, part) > 0.9 * LEASE_MS
    assert clerk.draw(part) == [UnitOutcome.LAST]


def test_an_outage_a_little_shorter_than_a_lease_ends_none_either(clerk: Clerk) -> None:
    """Leases that are about to run out when the broker comes back get their time too."""
    clerk.submit("job")
    part = clerk.claim()
    now, _ = clerk.redis.time()
    clerk.redis.zadd(clerk.key("leases"), {str(part.fence): now * 1000 - 1})
    clerk.redis.set(clerk.key("swept"), now * 1000 - LEASE_MS + 4_000)
    assert clerk.ledger.sweep() is not None
    assert clerk.draw(part) == [UnitOutcome.LAST]


def test_only_one_of_many_parents_sweeps(clerk: Clerk) -> None:
    """The others are told that it was just done; a clock that was set back stops nobody."""
    assert clerk.ledger.sweep() == []
    assert clerk.ledger.sweep() is None
    now, _ = clerk.redis.time()
    clerk.redis.set(clerk.key("swept"), (now + 3600) * 1000)
    assert clerk.ledger.sweep() == []


def test_a_worker_that_leaves_hands_everything_on_at_once(clerk: Clerk) -> None:
    """No lease runs out, no attempt counts, the worker is not listed any more."""
    clerk.submit("job", 2)
    clerk.ledger.beat("w1", "w1/1", {})
    clerk.ledger.start(clerk.claim().fence, 0)
    clerk.ledger.leave("w1")
    assert clerk.ledger.workers() == []
    again = clerk.claim(worker="w2")
    assert (again.units, again.attempts) == ((0,), 0)


def test_a_worker_that_stopped_beating_is_forgotten(clerk: Clerk) -> None:
    """Gone after a minute: for whoever asks, and at the next sweep for good."""
    clerk.ledger.beat("w1", "w1/1", {})
    clerk.redis.zadd(clerk.key("workers"), {"w1": 1})
    assert clerk.ledger.workers() == []
    clerk.sweep()
    assert clerk.redis.exists(clerk.key("workers"), clerk.key("worker", "w1")) == 0


def test_the_result_of_a_job_is_written_by_somebody_else_when_its_worker_is_lost(
    clerk: Clerk,
) -> None:
    """All pictures are there: the next claim brings a slice without units."""
    clerk.submit("job", 2)
    clerk.draw(clerk.claim())
    last = clerk.claim()
    assert clerk.draw(last) == [UnitOutcome.LAST]
    assert clerk.try_claim() is None
    clerk.lose(last)
    assert clerk.ledger.finish(last.fence) == "lost"
    rescue = clerk.claim(worker="w2")
    assert (rescue.finish, rescue.units) == (True, ())
    clerk.ledger.release(rescue.fence, "w2/1", 1, "the store is down")
    clerk.redis.delete(clerk.key("parked", LANE))
    again = clerk.claim(worker="w2")
    assert clerk.ledger.finish(again.fence) == "succeeded"
    assert clerk.try_claim() is None


def test_a_result_that_cannot_be_written_ends_the_job(clerk: Clerk) -> None:
    """Not the store's fault: nothing would change by trying again."""
    clerk.submit("job")
    part = clerk.claim()
    clerk.draw(part)
    assert clerk.fail(part, -1) is UnitOutcome.FAILED
    row = clerk.ledger.get("job")
    assert (row.state, row.done) == ("failed", 1)
    assert "result could not be written" in row.reason
    clerk.ledger.control("job", "retry")
    assert clerk.claim().finish


def test_fences_only_rise_even_when_the_ledger_lost_its_end(clerk: Clerk) -> None:
    """A counter that fell back must not number a new slice like an old one."""
    clerk.submit("job", 3)
    first = clerk.claim(most=1)
    clerk.redis.set(clerk.key("fence"), first.fence - 1)  # as a truncated file would leave it
    assert Ledger(clerk.settings).claim(LANE, "w2", "w2/1", 1).fence > first.fence  # type: ignore[union-attr]


def _left_ms(clerk: Clerk, part: Slice) -> float:
    seconds, _ = clerk.redis.time()
    deadline = clerk.redis.zscore(clerk.key("leases"), str(part.fence))
    assert deadline is not None
    return float(deadline) - seconds * 1000
