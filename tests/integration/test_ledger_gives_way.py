"""A slice ends at the next picture where a higher priority has come to wait."""

from __future__ import annotations

import pytest
from support.audited_farm import LANE, AuditedFarm

from winepress_shared.errors import RetryElsewhere
from winepress_shared.ledger.lanes import InHand, LaneIndex
from winepress_shared.ledger.ledger import PATIENCE_MS, holder_of
from winepress_shared.ledger.records import Directive, Slice

INTERACTIVE, NORMAL, BULK = 0, 1, 2
OTHER = "vignette.int8"


@pytest.fixture(autouse=True)
def _worker_of_both_lanes(farm: AuditedFarm) -> None:
    farm.ledger.beat("w1", holder_of("w1", 1), {"lanes": [LANE, OTHER]})


def bulk(farm: AuditedFarm, lane: str = LANE, **fields: object) -> Slice:
    """A slice of a bulk of 300, of which the first picture is begun."""
    farm.submit("bulk", 300, priority=BULK, lane=lane, **fields)
    slice_ = farm.claim(10, lane=lane)
    assert farm.ledger.start(slice_.fence, slice_.units[0]) is Directive.OK
    return slice_


def pass_over(farm: AuditedFarm, priority: int) -> None:
    """Let a priority of the lane have waited for longer than its patience."""
    now, _ = farm.redis.time()
    since = now * 1000 - PATIENCE_MS[priority] - 1000
    farm.redis.hset(farm.key("priority_served", LANE), str(priority), since)


@pytest.mark.parametrize("priority", [INTERACTIVE, NORMAL])
def test_a_slice_gives_way_in_its_lane_and_what_is_left_of_it_counts_no_attempt(
    farm: AuditedFarm, priority: int
) -> None:
    """The picture in hand is kept; the job in front of which somebody waits is next."""
    slice_ = bulk(farm)
    farm.submit("urgent", user="bob", priority=priority)
    farm.draw_one(slice_, 0)
    assert farm.ledger.start(slice_.fence, 1) is Directive.GIVE_WAY
    farm.ledger.release(slice_.fence, "w1/1")
    assert farm.claim().job_id == "urgent"
    again = farm.claim(10)
    assert (again.job_id, again.units[0], again.attempts) == ("bulk", 1, 0)
    assert farm.ledger.get("bulk").done == 1


def test_a_higher_priority_of_another_lane_is_said_and_the_picture_is_begun(
    farm: AuditedFarm,
) -> None:
    """Whether the worker would serve it first only it knows; given back, it counts no attempt."""
    slice_ = bulk(farm)
    assert farm.ledger.start(slice_.fence, 1) is Directive.OK
    farm.submit("urgent", user="bob", priority=INTERACTIVE, lane=OTHER)
    assert farm.ledger.start(slice_.fence, 2) is Directive.CALLED
    assert farm.ledger.start(slice_.fence, 2) is Directive.OK, "it is begun"
    farm.ledger.release(slice_.fence, "w1/1")
    assert farm.claim(10).attempts == 0


def test_a_slice_that_was_claimed_while_another_lane_called_gives_way_all_the_same(
    farm: AuditedFarm,
) -> None:
    """Only a priority that was passed over for long gets its whole slice."""
    farm.submit("urgent", user="bob", priority=INTERACTIVE, lane=OTHER)
    slice_ = bulk(farm)
    assert farm.ledger.start(slice_.fence, 1) is Directive.CALLED
    farm.submit("now", user="bob", priority=INTERACTIVE)
    assert farm.ledger.start(slice_.fence, 2) is Directive.GIVE_WAY


def test_a_higher_priority_calls_nobody_who_does_not_serve_its_lane(farm: AuditedFarm) -> None:
    """It may wait for ever; to be asked about it would cost every picture a look at the lanes."""
    farm.ledger.beat("w1", holder_of("w1", 1), {"lanes": [LANE]})
    slice_ = bulk(farm)
    farm.submit("urgent", user="bob", priority=INTERACTIVE, lane=OTHER)
    assert farm.ledger.start(slice_.fence, 1) is Directive.OK
    farm.ledger.beat("w1", holder_of("w1", 1), {"lanes": [LANE, OTHER]})
    assert farm.ledger.start(slice_.fence, 2) is Directive.CALLED


@pytest.mark.parametrize("lane", [LANE, OTHER])
@pytest.mark.parametrize("priority", [NORMAL, BULK])
def test_an_equal_or_lower_priority_calls_nobody(
    farm: AuditedFarm, lane: str, priority: int
) -> None:
    """They take turns by slices."""
    farm.submit("normal", 10, priority=NORMAL)
    slice_ = farm.claim(5)
    farm.submit("other", user="bob", priority=priority, lane=lane)
    assert [farm.ledger.start(slice_.fence, unit) for unit in slice_.units] == [Directive.OK] * 5


@pytest.mark.parametrize("lane", [LANE, OTHER])
def test_a_priority_that_was_passed_over_gets_its_whole_slice(farm: AuditedFarm, lane: str) -> None:
    """Else a bulk would get one picture where its patience promises a slice."""
    farm.submit("urgent", 50, user="bob", priority=INTERACTIVE, lane=lane)
    farm.submit("bulk", 300, priority=BULK)
    pass_over(farm, BULK)
    slice_ = farm.claim(5)
    assert slice_.job_id == "bulk"
    assert [farm.ledger.start(slice_.fence, unit) for unit in slice_.units] == [Directive.OK] * 5
    (told,) = LaneIndex(farm.settings).place(LANE, INTERACTIVE, "ann").in_hand
    assert told.priority == INTERACTIVE, "all of it is drawn before anything else"


def test_what_a_worker_may_not_draw_does_not_end_each_of_its_slices(farm: AuditedFarm) -> None:
    """A picture that it failed at is left to others for a minute, and waits all that time."""
    for worker in ("w1", "w2"):
        farm.ledger.beat(worker, holder_of(worker, 1), {"lanes": [LANE]})
    farm.submit("urgent", priority=INTERACTIVE)
    failed = farm.claim()
    farm.ledger.start(failed.fence, 0)
    farm.ledger.fail(failed.fence, 0, RetryElsewhere("here"), retry=True)
    now, _ = farm.redis.time()
    farm.redis.zadd(farm.key("retry", "urgent"), {"0000000": now * 1000 - 1000})
    farm.redis.zadd(farm.key("due"), {"urgent": 1})
    farm.sweep()
    farm.submit("bulk", 300, user="bob", priority=BULK)
    slice_ = farm.claim(5)
    assert slice_.job_id == "bulk"
    assert [farm.ledger.start(slice_.fence, unit) for unit in slice_.units] == [Directive.OK] * 5


@pytest.mark.parametrize("lane", [LANE, OTHER])
def test_a_lane_that_rests_calls_nobody(farm: AuditedFarm, lane: str) -> None:
    """Nothing of it could be handed out."""
    slice_ = bulk(farm)
    farm.redis.set(farm.key("parked", lane), "the disk is full")
    farm.submit("urgent", user="bob", priority=INTERACTIVE, lane=lane)
    assert farm.ledger.start(slice_.fence, 1) is Directive.OK


def test_a_chain_gives_way_at_its_next_key_frame_and_goes_on_from_there(farm: AuditedFarm) -> None:
    """By whoever claims it next."""
    slice_ = bulk(farm, chained=True)
    farm.submit("urgent", user="bob", priority=INTERACTIVE)
    farm.draw_one(slice_, 0)
    assert farm.ledger.start(slice_.fence, 1) is Directive.GIVE_WAY
    farm.ledger.release(slice_.fence, "w1/1")
    assert farm.claim().job_id == "urgent"
    again = farm.claim(10, worker="w2")
    assert (again.units[0], again.attempts) == (1, 0)


def test_what_workers_have_in_hand_is_told_to_those_who_wait_for_them(farm: AuditedFarm) -> None:
    """Slices of other lanes too, less what is drawn; not the job's own, nor those of strangers."""
    for worker, lanes in (("w1", [LANE, OTHER]), ("w2", [LANE]), ("w3", [OTHER])):
        farm.ledger.beat(worker, holder_of(worker, 1), {"lanes": lanes})
    slice_ = bulk(farm, OTHER)
    farm.draw_one(slice_, 0)
    farm.submit("elsewhere", 10, user="eve", lane=OTHER)
    assert farm.claim(4, "w3", lane=OTHER).job_id == "elsewhere"
    farm.submit("mine", 20, user="ann")
    assert farm.claim(3, "w2").job_id == "mine"
    place = LaneIndex(farm.settings).place
    assert place(LANE, NORMAL, "ann", "mine").in_hand == (InHand("w1", OTHER, BULK, 9),)
    assert place(LANE, NORMAL, "ann").in_hand == (
        InHand("w1", OTHER, BULK, 9),
        InHand("w2", LANE, NORMAL, 3),
    )


def test_the_first_picture_of_a_slice_gives_way_to_nobody(farm: AuditedFarm) -> None:
    """Else a bulk would be claimed and given back for as long as anything better comes."""
    farm.submit("bulk", 300, priority=BULK)
    slice_ = farm.claim(10)
    farm.submit("now", priority=INTERACTIVE)
    assert farm.ledger.start(slice_.fence, slice_.units[0]) is Directive.OK
    assert farm.ledger.start(slice_.fence, slice_.units[1]) is Directive.GIVE_WAY
