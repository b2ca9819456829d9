"""What one claim hands out: sizes, suspects, chains, parked lanes, many claims at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from clerk import LANE, Clerk

from winepress_shared.ledger.lanes import LaneIndex
from winepress_shared.ledger.ledger import MAX_ATTEMPTS, RETRY_BACKOFF_MS, Ledger, holder_of
from winepress_shared.ledger.records import Order, Slice, UnitOutcome


def test_slices_get_smaller_towards_the_end(clerk: Clerk) -> None:
    """Half of an equal share of what is left, so that the last pictures are spread."""
    for worker in ("w1", "w2", "w3", "w4"):
        clerk.ledger.beat(worker, holder_of(worker, 1), {})
    clerk.submit("job", 100)
    sizes = [len(clerk.claim().units) for _ in range(8)]
    assert sizes == [13, 11, 10, 9, 8, 7, 6, 5]
    assert len(clerk.claim(most=2).units) == 2


def test_slices_are_whole_calls_where_units_share_them(clerk: Clerk) -> None:
    """What a call lacks is filled up with pictures for nobody: only the last may lack some."""
    clerk.submit("job", 22, together=4)
    assert len(clerk.claim(most=1).units) == 4
    part = clerk.claim()
    assert part.units == tuple(range(4, 16))
    clerk.ledger.release(part.fence, "w1/1")
    sizes = []
    while again := clerk.try_claim():
        sizes.append(len(again.units))
    assert sizes == [12, 4, 2]


def test_units_that_come_back_are_shared_like_new_ones(clerk: Clerk) -> None:
    """A canceled job of many units, retried, does not go to one worker whole."""
    clerk.submit("job", 40)
    while clerk.try_claim():
        pass
    clerk.ledger.control("job", "cancel")
    clerk.ledger.control("job", "retry")
    assert clerk.claim().units == tuple(range(20))
    assert clerk.claim().units == tuple(range(20, 30))


def test_units_come_back_in_numeric_order(clerk: Clerk) -> None:
    """Unit 9 before unit 10, also when both are due at the same moment."""
    clerk.submit("job", 24)
    part = clerk.claim()
    assert part.units == tuple(range(12))
    clerk.ledger.release(part.fence, "w1/1")
    assert clerk.claim(most=11).units == tuple(range(11))


def test_a_slice_of_ten_thousand_retries_is_handed_out(clerk: Clerk) -> None:
    """More values than a Lua call can take at once."""
    clerk.submit("job", 10_000)
    clerk.redis.hset(clerk.key("job", "job"), "cursor", 10_000)
    clerk.redis.zadd(clerk.key("retry", "job"), {f"{unit:07d}": 1 for unit in range(10_000)})
    part = clerk.ledger.claim(LANE, "w1", "w1/1", 20_000)
    assert part is not None
    assert part.units == tuple(range(5_000))
    assert clerk.redis.hget(clerk.key("lease", part.fence), "open") == "0-4999"


def test_a_unit_that_failed_before_gets_a_slice_of_its_own(clerk: Clerk) -> None:
    """A suspect cannot take others with it; the slice tells how often it was tried."""
    clerk.submit("job", 8)
    part = clerk.claim()
    assert part.units == (0, 1, 2, 3)
    clerk.fail(part, 1)
    clerk.ledger.release(part.fence, "w1/1")  # 0, 2 and 3 were never begun
    clerk.make_due("job")
    handed = []
    while again := clerk.try_claim():
        handed.append((again.units, again.attempts))
    assert ((1,), 1) in handed
    assert sorted(unit for units, _ in handed for unit in units) == list(range(8))


def test_a_fault_waits_before_it_is_tried_again_and_waits_longer_each_time(clerk: Clerk) -> None:
    """Nothing is handed out before it is due; the wait doubles; the third fault is the last."""
    clerk.submit("job")
    waits = []
    for _ in range(2):
        part = clerk.claim()
        assert clerk.ledger.start(part.fence, 0) is Order.OK
        assert clerk.fail(part, 0) is UnitOutcome.RETRY
        assert clerk.try_claim() is None
        seconds, micros = clerk.redis.time()
        due = clerk.redis.zscore(clerk.key("due"), "job")
        assert due is not None
        waits.append(due - seconds * 1000 - micros / 1000)
        clerk.make_due("job")
    assert 0.5 * RETRY_BACKOFF_MS < waits[0] <= RETRY_BACKOFF_MS
    assert 1.5 * RETRY_BACKOFF_MS < waits[1] <= 2 * RETRY_BACKOFF_MS
    assert clerk.fail(clerk.claim(), 0) is UnitOutcome.LAST


def test_faults_before_the_first_unit_are_counted_too(clerk: Clerk) -> None:
    """A slice that cannot even be prepared is not tried for ever."""
    clerk.submit("job")
    outcomes = []
    for _ in range(3):
        outcomes.append(clerk.fail(clerk.claim(), 0))
        clerk.make_due("job")
    assert outcomes == [UnitOutcome.RETRY, UnitOutcome.RETRY, UnitOutcome.LAST]


def test_a_unit_that_can_never_succeed_is_not_tried_again(clerk: Clerk) -> None:
    """The rest of the job goes on, and the job ends as failed."""
    clerk.submit("job", 2)
    assert clerk.fail(clerk.claim(most=1), 0, retry=False) is UnitOutcome.FAILED
    clerk.work_off()
    row = clerk.ledger.get("job")
    assert (row.state, row.done, row.failed, row.reason) == ("failed", 1, 1, "told to")


def test_giving_a_slice_back_costs_no_attempt(clerk: Clerk) -> None:
    """Drain: the unit in hand is as fresh as before, and at once to be had."""
    clerk.submit("job", 2)
    for _ in range(5):
        part = clerk.claim()
        clerk.ledger.start(part.fence, part.units[0])
        clerk.ledger.release(part.fence, "w1/1")
        assert (part.attempts, clerk.state("job")) == (0, "queued")
    assert clerk.redis.smembers(clerk.key("held", "w1/1")) == set()


def test_giving_back_a_suspect_unbegun_does_not_clear_it(clerk: Clerk) -> None:
    """Only the attempt begun under the lease is taken back, not those before it."""
    clerk.submit("job")
    clerk.ledger.start((part := clerk.claim()).fence, 0)
    clerk.lose(part)
    clerk.ledger.release(clerk.claim().fence, "w1/1")
    assert clerk.claim().attempts == 1


def test_a_parked_lane_rests_and_then_goes_on(clerk: Clerk) -> None:
    """Environment faults: nothing is handed out, no tickets are asked for, no attempt counts."""
    clerk.submit("job", 2)
    clerk.ledger.release(clerk.claim().fence, "w1/1", 60_000, "the store is down")
    assert LaneIndex(clerk.settings).parked(LANE) == "the store is down"
    assert clerk.try_claim() is None
    assert clerk.sweep() == []
    clerk.redis.pexpire(clerk.key("parked", LANE), 0)
    assert clerk.sweep() == [(LANE, 2, 0)]
    assert clerk.claim().attempts == 0


def test_a_chain_is_drawn_by_one_worker_at_a_time_and_in_order(clerk: Clerk) -> None:
    """Each unit builds on the one before it."""
    clerk.submit("zoom", 12, chained=True)
    part = clerk.claim(most=5)
    assert (part.units, clerk.try_claim(worker="w2")) == ((0, 1, 2, 3, 4), None)
    assert clerk.ledger.commit(part.fence, 1, {}) is UnitOutcome.LOST  # 0 is not there yet
    clerk.draw(part, [0, 1])
    clerk.ledger.start(part.fence, 2)
    assert clerk.fail(part, 2) is UnitOutcome.RETRY
    assert clerk.ledger.start(part.fence, 3) is Order.LOST
    assert clerk.try_claim() is None  # not due, and nothing may overtake it
    clerk.make_due("zoom")
    assert (clerk.claim().units, clerk.try_claim()) == ((2,), None)


def test_a_chain_does_not_break_behind_a_unit_that_is_still_on_its_way(clerk: Clerk) -> None:
    """What is drawn and not yet stored is not lost with its successor, which fails alone later."""
    clerk.submit("zoom", 3, chained=True)
    part = clerk.claim()
    clerk.ledger.start(part.fence, 0)
    clerk.ledger.start(part.fence, 1)
    assert clerk.fail(part, 1, retry=False) is UnitOutcome.RETRY
    clerk.make_due("zoom")
    assert clerk.draw(first := clerk.claim()) == [UnitOutcome.OK]
    assert first.units == (0,)
    assert clerk.fail(again := clerk.claim(), 1, retry=False) is UnitOutcome.LAST
    assert clerk.ledger.finish(again.fence) == "failed"
    assert clerk.ledger.get("zoom").done == 1


def test_a_chain_is_drawn_one_by_one_where_its_worker_was_lost(clerk: Clerk) -> None:
    """Two units were begun when it died: each comes back alone, and says so."""
    clerk.submit("zoom", 5, chained=True)
    part = clerk.claim()
    clerk.ledger.start(part.fence, 0)
    clerk.ledger.start(part.fence, 1)
    clerk.lose(part)
    slices = []
    while again := clerk.try_claim():
        slices.append((again.units, again.attempts))
        clerk.draw(again)
    assert slices == [((0,), 1), ((1,), 1), ((2, 3, 4), 0)]


def test_a_worker_that_skips_units_of_a_chain_cannot_break_it_in_the_middle(clerk: Clerk) -> None:
    """Given up is only what the chain has reached: the first unit, which it never began."""
    clerk.submit("zoom", 3, chained=True)
    for _ in range(MAX_ATTEMPTS + 1):
        assert clerk.ledger.get("zoom").failed == 0
        clerk.ledger.start((part := clerk.claim()).fence, 1)
        clerk.lose(part)
        clerk.audit()
    assert "died 3 times" in clerk.ledger.outputs("zoom")[0]["message"]


def test_a_broken_chain_fails_from_there_on_and_can_be_retried(clerk: Clerk) -> None:
    """What builds on a failed unit fails with it; a retry begins at the break."""
    clerk.submit("zoom", 4, chained=True)
    part = clerk.claim()
    clerk.draw(part, [0])
    assert clerk.fail(part, 1, retry=False) is UnitOutcome.LAST
    assert clerk.ledger.finish(part.fence, "unit 1 failed") == "failed"
    assert clerk.ledger.get("zoom").failed == 3
    clerk.ledger.control("zoom", "retry")
    again = clerk.claim()
    assert again.units == (1,)
    clerk.draw(again)
    assert clerk.claim().units == (2, 3)


def test_ten_threads_get_each_of_five_hundred_units_once(clerk: Clerk) -> None:
    """Claims race, units are never shared; the last commit is told so, once."""
    clerk.submit("job", 500)

    def work(number: int) -> list[tuple[Slice, list[UnitOutcome]]]:
        ledger, worker, done = Ledger(clerk.settings), f"w{number}", []
        while part := ledger.claim(LANE, worker, holder_of(worker, 1), 3):
            done.append((part, [ledger.commit(part.fence, unit, {}) for unit in part.units]))
        ledger.close()
        return done

    with ThreadPoolExecutor(10) as pool:
        slices = [one for found in pool.map(work, range(10)) for one in found]
    assert sorted(unit for part, _ in slices for unit in part.units) == list(range(500))
    outcomes = [outcome for _, found in slices for outcome in found]
    assert outcomes.count(UnitOutcome.LAST) == 1
    assert len({part.fence for part, _ in slices}) == len(slices)


@pytest.mark.parametrize("most", [0, -5])
def test_a_claim_asks_for_at_least_one_unit(clerk: Clerk, most: int) -> None:
    """A pace of less than a unit per slice must not starve the lane."""
    clerk.submit("job", 3)
    assert clerk.claim(most=most).units == (0,)
