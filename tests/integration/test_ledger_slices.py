"""What one claim hands out: sizes, suspects, chains, parked lanes, many claims at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.audited_farm import LANE, AuditedFarm
from support.virtual_time import VirtualTime

from winepress_shared.ledger.lanes import LaneIndex
from winepress_shared.ledger.ledger import MAX_ATTEMPTS, RETRY_BACKOFF_MS, Ledger, holder_of
from winepress_shared.ledger.records import Directive, Slice, UnitOutcome


def test_slices_get_smaller_towards_the_end(farm: AuditedFarm) -> None:
    """Half of an equal share of what is left, so that the last pictures are spread."""
    for worker in ("w1", "w2", "w3", "w4"):
        farm.ledger.beat(worker, holder_of(worker, 1), {})
    farm.submit("job", 100)
    sizes = [len(farm.claim().units) for _ in range(8)]
    assert sizes == [13, 11, 10, 9, 8, 7, 6, 5]
    assert len(farm.claim(most=2).units) == 2


def test_slices_are_whole_calls_where_units_share_them(farm: AuditedFarm) -> None:
    """What a call lacks is filled up with pictures for nobody: only the last may lack some."""
    farm.submit("job", 22, together=4)
    assert len(farm.claim(most=1).units) == 4
    slice_ = farm.claim()
    assert slice_.units == tuple(range(4, 16))
    farm.ledger.release(slice_.fence, "w1/1")
    sizes = []
    while again := farm.try_claim():
        sizes.append(len(again.units))
    assert sizes == [12, 4, 2]


def test_units_that_come_back_are_shared_like_new_ones(farm: AuditedFarm) -> None:
    """A canceled job of many units, retried, does not go to one worker whole."""
    farm.submit("job", 40)
    while farm.try_claim():
        pass
    farm.ledger.control("job", "cancel")
    farm.ledger.control("job", "retry")
    assert farm.claim().units == tuple(range(20))
    assert farm.claim().units == tuple(range(20, 30))


def test_units_come_back_in_numeric_order(farm: AuditedFarm) -> None:
    """Unit 9 before unit 10, also when both are due at the same moment."""
    farm.submit("job", 24)
    slice_ = farm.claim()
    assert slice_.units == tuple(range(12))
    farm.ledger.release(slice_.fence, "w1/1")
    assert farm.claim(most=11).units == tuple(range(11))


def test_units_that_came_back_one_after_the_other_are_in_order_too(farm: AuditedFarm) -> None:
    """A slice is begun in order: what stands before the unit in hand is taken for begun."""
    farm.submit("job", 24)
    first, second = farm.claim(most=3), farm.claim(most=3)
    for slice_ in (second, first):
        farm.ledger.release(slice_.fence, "w1/1")
    assert farm.claim(most=6).units == tuple(range(6))


def test_a_slice_of_ten_thousand_retries_is_handed_out(farm: AuditedFarm) -> None:
    """More values than a Lua call can take at once."""
    farm.submit("job", 10_000)
    farm.redis.hset(farm.key("job", "job"), "cursor", 10_000)
    farm.redis.zadd(farm.key("retry", "job"), {f"{unit:07d}": 1 for unit in range(10_000)})
    slice_ = farm.ledger.claim(LANE, "w1", "w1/1", 20_000)
    assert slice_ is not None
    assert slice_.units == tuple(range(5_000))
    assert farm.redis.hget(farm.key("lease", slice_.fence), "open") == "0-4999"


def test_a_unit_that_failed_before_gets_a_slice_of_its_own(farm: AuditedFarm) -> None:
    """A suspect cannot take others with it; the slice tells how often it was tried."""
    farm.submit("job", 8)
    slice_ = farm.claim()
    assert slice_.units == (0, 1, 2, 3)
    farm.fail(slice_, 1)
    farm.ledger.release(slice_.fence, "w1/1")  # 0, 2 and 3 were never begun
    farm.make_due("job")
    handed = []
    while again := farm.try_claim():
        handed.append((again.units, again.attempts))
    assert ((1,), 1) in handed
    assert sorted(unit for units, _ in handed for unit in units) == list(range(8))


def test_a_fault_waits_before_it_is_tried_again_and_waits_longer_each_time(
    farm: AuditedFarm,
) -> None:
    """Nothing is handed out before it is due; the wait doubles; the third fault is the last."""
    farm.submit("job")
    waits = []
    for _ in range(2):
        slice_ = farm.claim()
        assert farm.ledger.start(slice_.fence, 0) is Directive.OK
        assert farm.fail(slice_, 0) is UnitOutcome.RETRY
        assert farm.try_claim() is None
        seconds, micros = farm.redis.time()
        due = farm.redis.zscore(farm.key("due"), "job")
        assert due is not None
        waits.append(due - seconds * 1000 - micros / 1000)
        farm.make_due("job")
    assert 0.5 * RETRY_BACKOFF_MS < waits[0] <= RETRY_BACKOFF_MS
    assert 1.5 * RETRY_BACKOFF_MS < waits[1] <= 2 * RETRY_BACKOFF_MS
    assert farm.fail(farm.claim(), 0) is UnitOutcome.LAST


def test_faults_before_the_first_unit_are_counted_too(farm: AuditedFarm) -> None:
    """A slice that cannot even be prepared is not tried for ever."""
    farm.submit("job")
    outcomes = []
    for _ in range(3):
        outcomes.append(farm.fail(farm.claim(), 0))
        farm.make_due("job")
    assert outcomes == [UnitOutcome.RETRY, UnitOutcome.RETRY, UnitOutcome.LAST]


def test_a_unit_that_can_never_succeed_is_not_tried_again(farm: AuditedFarm) -> None:
    """The rest of the job goes on, and the job ends as failed."""
    farm.submit("job", 2)
    assert farm.fail(farm.claim(most=1), 0, retry=False) is UnitOutcome.FAILED
    farm.work_off()
    row = farm.ledger.get("job")
    assert (row.state, row.done, row.failed, row.reason) == ("failed", 1, 1, "told to")


def test_giving_a_slice_back_costs_no_attempt(farm: AuditedFarm) -> None:
    """Drain: the unit in hand is as fresh as before, and at once to be had."""
    farm.submit("job", 2)
    for _ in range(5):
        slice_ = farm.claim()
        farm.ledger.start(slice_.fence, slice_.units[0])
        farm.ledger.release(slice_.fence, "w1/1")
        assert (slice_.attempts, farm.state("job")) == (0, "queued")
    assert farm.redis.smembers(farm.key("held", "w1/1")) == set()


def test_giving_back_a_suspect_unbegun_does_not_clear_it(farm: AuditedFarm) -> None:
    """Only the attempt begun under the lease is taken back, not those before it."""
    farm.submit("job")
    farm.ledger.start((slice_ := farm.claim()).fence, 0)
    farm.lose(slice_)
    farm.ledger.release(farm.claim().fence, "w1/1")
    assert farm.claim().attempts == 1


def test_a_parked_lane_rests_and_then_goes_on(farm: AuditedFarm) -> None:
    """Environment faults: nothing is handed out, no tickets are asked for, no attempt counts."""
    farm.submit("job", 2)
    farm.ledger.release(farm.claim().fence, "w1/1", 60_000, "the store is down")
    assert LaneIndex(farm.settings).parked(LANE) == "the store is down"
    assert farm.try_claim() is None
    assert farm.sweep() == []
    farm.redis.pexpire(farm.key("parked", LANE), 0)
    assert farm.sweep() == [(LANE, 2, 0)]
    assert farm.claim().attempts == 0


def test_a_chain_is_drawn_by_one_worker_at_a_time_and_in_order(farm: AuditedFarm) -> None:
    """Each unit builds on the one before it."""
    farm.submit("zoom", 12, chained=True)
    slice_ = farm.claim(most=5)
    assert (slice_.units, farm.try_claim(worker="w2")) == ((0, 1, 2, 3, 4), None)
    assert farm.ledger.commit(slice_.fence, 1, {}) is UnitOutcome.LOST  # 0 is not there yet
    farm.draw(slice_, [0, 1])
    farm.ledger.start(slice_.fence, 2)
    assert farm.fail(slice_, 2) is UnitOutcome.RETRY
    assert farm.ledger.start(slice_.fence, 3) is Directive.LOST
    assert farm.try_claim() is None  # not due, and nothing may overtake it
    farm.make_due("zoom")
    assert (farm.claim().units, farm.try_claim()) == ((2,), None)


def test_a_chain_does_not_break_behind_a_unit_that_is_still_on_its_way(farm: AuditedFarm) -> None:
    """What is drawn and not yet stored is not lost with its successor, which fails alone later."""
    farm.submit("zoom", 3, chained=True)
    slice_ = farm.claim()
    farm.ledger.start(slice_.fence, 0)
    farm.ledger.start(slice_.fence, 1)
    assert farm.fail(slice_, 1, retry=False) is UnitOutcome.RETRY
    farm.make_due("zoom")
    assert farm.draw(first := farm.claim()) == [UnitOutcome.OK]
    assert first.units == (0,)
    assert farm.fail(again := farm.claim(), 1, retry=False) is UnitOutcome.LAST
    assert farm.ledger.finish(again.fence) == "failed"
    assert farm.ledger.get("zoom").done == 1


def test_a_chain_is_drawn_one_by_one_where_its_worker_was_lost(farm: AuditedFarm) -> None:
    """Two units were begun when it died: each comes back alone, and says so."""
    farm.submit("zoom", 5, chained=True)
    slice_ = farm.claim()
    farm.ledger.start(slice_.fence, 0)
    farm.ledger.start(slice_.fence, 1)
    farm.lose(slice_)
    slices = []
    while again := farm.try_claim():
        slices.append((again.units, again.alone))
        farm.draw(again)
    assert slices == [((0,), True), ((1,), True), ((2, 3, 4), False)]


def test_a_worker_that_skips_units_of_a_chain_cannot_break_it_in_the_middle(
    farm: AuditedFarm,
) -> None:
    """Given up is only what the chain has reached: the first unit, which it never began."""
    farm.submit("zoom", 3, chained=True)
    for _ in range(MAX_ATTEMPTS + 1):
        assert farm.ledger.get("zoom").failed == 0
        farm.ledger.start((slice_ := farm.claim()).fence, 1)
        farm.lose(slice_)
        farm.audit()
    assert "died 3 times" in farm.ledger.outputs("zoom")[0]["message"]


def test_a_broken_chain_fails_from_there_on_and_can_be_retried(farm: AuditedFarm) -> None:
    """What builds on a failed unit fails with it; a retry begins at the break."""
    farm.submit("zoom", 4, chained=True)
    slice_ = farm.claim()
    farm.draw(slice_, [0])
    assert farm.fail(slice_, 1, retry=False) is UnitOutcome.LAST
    assert farm.ledger.finish(slice_.fence, "unit 1 failed") == "failed"
    assert farm.ledger.get("zoom").failed == 3
    farm.ledger.control("zoom", "retry")
    again = farm.claim()
    assert again.units == (1,)
    farm.draw(again)
    assert farm.claim().units == (2, 3)


def test_ten_threads_get_each_of_five_hundred_units_once(farm: AuditedFarm) -> None:
    """Claims race, units are never shared; the last commit is told so, once."""
    farm.submit("job", 500)

    def work(number: int) -> list[tuple[Slice, list[UnitOutcome]]]:
        ledger, worker, done = Ledger(farm.settings), f"w{number}", []
        while slice_ := ledger.claim(LANE, worker, holder_of(worker, 1), 3):
            done.append((slice_, [ledger.commit(slice_.fence, unit, {}) for unit in slice_.units]))
        ledger.close()
        return done

    with ThreadPoolExecutor(10) as pool:
        slices = [one for found in pool.map(work, range(10)) for one in found]
    assert sorted(unit for slice_, _ in slices for unit in slice_.units) == list(range(500))
    outcomes = [outcome for _, found in slices for outcome in found]
    assert outcomes.count(UnitOutcome.LAST) == 1
    assert len({slice_.fence for slice_, _ in slices}) == len(slices)


@pytest.mark.parametrize("most", [0, -5])
def test_a_claim_asks_for_at_least_one_unit(farm: AuditedFarm, most: int) -> None:
    """A pace of less than a unit per slice must not starve the lane."""
    farm.submit("job", 3)
    assert farm.claim(most=most).units == (0,)


def test_a_job_is_given_up_when_more_than_so_many_of_its_units_failed(farm: AuditedFarm) -> None:
    """Exactly as many may fail; the next one ends what nobody has in hand."""
    farm.submit("job", 6, max_failed=2)
    for unit in range(2):
        farm.fail(farm.claim(most=1), unit, retry=False)
    assert len(farm.places("job")["fresh"]) == 4
    farm.fail(farm.claim(most=1), 2, retry=False)
    assert farm.places("job")["failed"] == set(range(6))


def test_a_job_was_started_when_its_first_slice_was(farm: AuditedFarm) -> None:
    """One that went back into the queue meanwhile was not started later."""
    farm.submit("job")
    slice_ = farm.claim()
    farm.redis.hset(farm.key("job", "job"), "started", 7000)
    farm.ledger.release(slice_.fence, "w1/1")
    farm.claim()
    assert farm.ledger.get("job").started == 7.0


def test_fences_rise_within_a_millisecond_and_while_a_clock_is_set_back(farm: AuditedFarm) -> None:
    """The time is only what they never fall below."""
    farm.submit("job", 9)
    clock = VirtualTime(farm)
    fences = []
    for step_s in (0, 0, -60, 0, 120):
        clock.advance_to(clock.now_s + step_s)
        fences.append(farm.claim(most=1).fence)
    assert fences == sorted(set(fences))
    assert fences[-1] >= clock.now_s * 1000
