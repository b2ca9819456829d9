"""A slice ends at the next picture where a better band has come to wait."""

from __future__ import annotations

import pytest
from clerk import LANE, Clerk

from winepress_shared.errors import RetryElsewhere
from winepress_shared.ledger.lanes import InHand, LaneIndex
from winepress_shared.ledger.ledger import PATIENCE_MS, holder_of
from winepress_shared.ledger.records import Order, Slice

INTERACTIVE, NORMAL, BULK = 0, 1, 2
OTHER = "vignette.int8"


@pytest.fixture(autouse=True)
def _worker_of_both_lanes(clerk: Clerk) -> None:
    clerk.ledger.beat("w1", holder_of("w1", 1), {"lanes": [LANE, OTHER]})


def bulk(clerk: Clerk, lane: str = LANE, **fields: object) -> Slice:
    """A slice of a bulk of 300, of which the first picture is begun."""
    clerk.submit("bulk", 300, band=BULK, lane=lane, **fields)
    part = clerk.claim(10, lane=lane)
    assert clerk.ledger.start(part.fence, part.units[0]) is Order.OK
    return part


def pass_over(clerk: Clerk, band: int) -> None:
    """Let a band of the lane have waited for longer than its patience."""
    now, _ = clerk.redis.time()
    since = now * 1000 - PATIENCE_MS[band] - 1000
    clerk.redis.hset(clerk.key("band_served", LANE), str(band), since)


@pytest.mark.parametrize("band", [INTERACTIVE, NORMAL])
def test_a_slice_gives_way_in_its_lane_and_what_is_left_of_it_counts_no_attempt(
    clerk: Clerk, band: int
) -> None:
    """The picture in hand is kept; the job in front of which somebody waits is next."""
    part = bulk(clerk)
    clerk.submit("urgent", user="bob", band=band)
    clerk.draw_one(part, 0)
    assert clerk.ledger.start(part.fence, 1) is Order.GIVE_WAY
    clerk.ledger.release(part.fence, "w1/1")
    assert clerk.claim().job_id == "urgent"
    again = clerk.claim(10)
    assert (again.job_id, again.units[0], again.attempts) == ("bulk", 1, 0)
    assert clerk.ledger.get("bulk").done == 1


def test_a_better_band_of_another_lane_is_said_and_the_picture_is_begun(clerk: Clerk) -> None:
    """Whether the worker would serve it first only it knows; given back, it counts no attempt."""
    part = bulk(clerk)
    assert clerk.ledger.start(part.fence, 1) is Order.OK
    clerk.submit("urgent", user="bob", band=INTERACTIVE, lane=OTHER)
    assert clerk.ledger.start(part.fence, 2) is Order.CALLED
    assert clerk.ledger.start(part.fence, 2) is Order.OK, "it is begun"
    clerk.ledger.release(part.fence, "w1/1")
    assert clerk.claim(10).attempts == 0


def test_a_better_band_calls_nobody_who_does_not_serve_its_lane(clerk: Clerk) -> None:
    """It may wait for ever; to be asked about it would cost every picture a look at the lanes."""
    clerk.ledger.beat("w1", holder_of("w1", 1), {"lanes": [LANE]})
    part = bulk(clerk)
    clerk.submit("urgent", user="bob", band=INTERACTIVE, lane=OTHER)
    assert clerk.ledger.start(part.fence, 1) is Order.OK
    clerk.ledger.beat("w1", holder_of("w1", 1), {"lanes": [LANE, OTHER]})
    assert clerk.ledger.start(part.fence, 2) is Order.CALLED


@pytest.mark.parametrize("lane", [LANE, OTHER])
@pytest.mark.parametrize("band", [NORMAL, BULK])
def test_an_equal_or_lower_band_calls_nobody(clerk: Clerk, lane: str, band: int) -> None:
    """They take turns by slices."""
    clerk.submit("normal", 10, band=NORMAL)
    part = clerk.claim(5)
    clerk.submit("other", user="bob", band=band, lane=lane)
    assert [clerk.ledger.start(part.fence, unit) for unit in part.units] == [Order.OK] * 5


@pytest.mark.parametrize("lane", [LANE, OTHER])
def test_a_band_that_was_passed_over_gets_its_whole_slice(clerk: Clerk, lane: str) -> None:
    """Else a bulk would get one picture where its patience promises a slice."""
    clerk.submit("urgent", 50, user="bob", band=INTERACTIVE, lane=lane)
    clerk.submit("bulk", 300, band=BULK)
    pass_over(clerk, BULK)
    part = clerk.claim(5)
    assert part.job_id == "bulk"
    assert [clerk.ledger.start(part.fence, unit) for unit in part.units] == [Order.OK] * 5
    (told,) = LaneIndex(clerk.settings).place(LANE, INTERACTIVE, "ann").in_hand
    assert told.band == INTERACTIVE, "all of it is drawn before anything else"


def test_what_a_worker_may_not_draw_does_not_end_each_of_its_slices(clerk: Clerk) -> None:
    """A picture that it failed at is left to others for a minute, and waits all that time."""
    for worker in ("w1", "w2"):
        clerk.ledger.beat(worker, holder_of(worker, 1), {"lanes": [LANE]})
    clerk.submit("urgent", band=INTERACTIVE)
    failed = clerk.claim()
    clerk.ledger.start(failed.fence, 0)
    clerk.ledger.fail(failed.fence, 0, RetryElsewhere("here"), retry=True)
    now, _ = clerk.redis.time()
    clerk.redis.zadd(clerk.key("retry", "urgent"), {"0000000": now * 1000 - 1000})
    clerk.redis.zadd(clerk.key("due"), {"urgent": 1})
    clerk.sweep()
    clerk.submit("bulk", 300, user="bob", band=BULK)
    part = clerk.claim(5)
    assert part.job_id == "bulk"
    assert [clerk.ledger.start(part.fence, unit) for unit in part.units] == [Order.OK] * 5


@pytest.mark.parametrize("lane", [LANE, OTHER])
def test_a_lane_that_rests_calls_nobody(clerk: Clerk, lane: str) -> None:
    """Nothing of it could be handed out."""
    part = bulk(clerk)
    clerk.redis.set(clerk.key("parked", lane), "the disk is full")
    clerk.submit("urgent", user="bob", band=INTERACTIVE, lane=lane)
    assert clerk.ledger.start(part.fence, 1) is Order.OK


def test_a_chain_gives_way_at_its_next_key_frame_and_goes_on_from_there(clerk: Clerk) -> None:
    """By whoever claims it next."""
    part = bulk(clerk, chained=True)
    clerk.submit("urgent", user="bob", band=INTERACTIVE)
    clerk.draw_one(part, 0)
    assert clerk.ledger.start(part.fence, 1) is Order.GIVE_WAY
    clerk.ledger.release(part.fence, "w1/1")
    assert clerk.claim().job_id == "urgent"
    again = clerk.claim(10, worker="w2")
    assert (again.units[0], again.attempts) == (1, 0)


def test_what_workers_have_in_hand_is_told_to_those_who_wait_for_them(clerk: Clerk) -> None:
    """Slices of other lanes too, less what is drawn; not the job's own, nor those of strangers."""
    for worker, lanes in (("w1", [LANE, OTHER]), ("w2", [LANE]), ("w3", [OTHER])):
        clerk.ledger.beat(worker, holder_of(worker, 1), {"lanes": lanes})
    part = bulk(clerk, OTHER)
    clerk.draw_one(part, 0)
    clerk.submit("elsewhere", 10, user="eve", lane=OTHER)
    assert clerk.claim(4, "w3", lane=OTHER).job_id == "elsewhere"
    clerk.submit("mine", 20, user="ann")
    assert clerk.claim(3, "w2").job_id == "mine"
    place = LaneIndex(clerk.settings).place
    assert place(LANE, NORMAL, "ann", "mine").in_hand == (InHand("w1", OTHER, BULK, 9),)
    assert place(LANE, NORMAL, "ann").in_hand == (
        InHand("w1", OTHER, BULK, 9),
        InHand("w2", LANE, NORMAL, 3),
    )
