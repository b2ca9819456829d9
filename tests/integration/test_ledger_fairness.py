"""Who is next in a lane: priorities with patience, users in turn, oldest job first."""

from __future__ import annotations

import pytest
from support.audited_farm import LANE, AuditedFarm

from winepress_shared.ledger.lanes import LaneIndex
from winepress_shared.ledger.ledger import PATIENCE_MS

INTERACTIVE, NORMAL, BULK = 0, 1, 2


def test_users_take_turns_whatever_each_of_them_submitted(farm: AuditedFarm) -> None:
    """A1 A2 B1 C1 C2 A3 is served as A B C A C A."""
    for job in ("a1", "a2", "b1", "c1", "c2", "a3"):
        farm.submit(job, user=job[0])
    assert farm.work_off() == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_a_user_who_floods_the_lane_does_not_delay_another(farm: AuditedFarm) -> None:
    """Whoever comes later waits for one slice of each other user, not for the flood."""
    for number in range(50):
        farm.submit(f"flood{number:02d}", user="flood")
    farm.submit("late", user="late")
    assert farm.work_off()[:3] == ["flood00", "late", "flood01"]


def test_the_oldest_job_of_a_user_goes_first_even_within_one_millisecond(farm: AuditedFarm) -> None:
    """Order is that of submission; neither the clock nor the id decides."""
    names = [f"j{number * 7919 % 100:02d}" for number in range(100)]
    for name in names:
        farm.submit(name)
    assert [row.id for row in farm.ledger.jobs(limit=100)] == names[::-1]
    assert farm.work_off() == names


def test_priorities_are_served_in_their_order(farm: AuditedFarm) -> None:
    """Interactive before normal before bulk, however long ago the others came."""
    for priority, job in ((BULK, "bulk"), (NORMAL, "normal"), (INTERACTIVE, "interactive")):
        farm.submit(job, priority=priority)
    assert farm.work_off() == ["interactive", "normal", "bulk"]


@pytest.mark.parametrize("priority", [NORMAL, BULK])
@pytest.mark.case(41)
def test_a_priority_passed_over_longer_than_its_patience_gets_one_slice(
    farm: AuditedFarm, priority: int
) -> None:
    """One slice, then it waits again: patience is not priority."""
    for number in range(3):
        farm.submit(f"hot{number}", priority=INTERACTIVE)
        farm.submit(f"cold{number}", priority=priority)
    farm.draw(hot := farm.claim())
    assert hot.job_id == "hot0"
    _pass_over(farm, priority, PATIENCE_MS[priority] + 1000)
    assert farm.work_off() == ["cold0", "hot1", "hot2", "cold1", "cold2"]


def test_a_priority_passed_over_for_less_than_its_patience_goes_on_waiting(
    farm: AuditedFarm,
) -> None:
    """Just below the bound nothing changes."""
    farm.submit("hot", priority=INTERACTIVE)
    farm.submit("cold", priority=BULK)
    _pass_over(farm, BULK, PATIENCE_MS[BULK] - 60_000)
    assert farm.work_off() == ["hot", "cold"]


def test_a_user_whose_unit_failed_keeps_their_turn(farm: AuditedFarm) -> None:
    """A fault must not send its user to the end of the line."""
    farm.submit("a1", 3, user="a")
    bad = farm.claim(most=1)
    farm.submit("b1", 3, user="b")
    farm.draw(farm.claim(most=1))  # a again: b came later
    farm.submit("a2", user="a")
    farm.draw(farm.claim(most=1))  # b
    farm.fail(bad, 0)
    assert farm.claim(most=1).job_id == "a1"


def test_a_priority_does_not_lose_its_patience_when_one_of_its_leases_ends(
    farm: AuditedFarm,
) -> None:
    """Its clock runs on although its only job was given back meanwhile."""
    farm.submit("cold", 2, priority=BULK)
    slice_ = farm.claim(most=1)
    farm.submit("hot", 9, priority=INTERACTIVE)
    _pass_over(farm, BULK, PATIENCE_MS[BULK] + 1000)
    farm.ledger.release(slice_.fence, "w1/1")
    assert farm.claim(most=1).job_id == "cold"


def test_lanes_do_not_see_each_other(farm: AuditedFarm) -> None:
    """A claim of one lane never gets another lane's job."""
    farm.submit("one", lane="vignette.int8")
    assert farm.try_claim(lane=LANE) is None
    assert farm.claim(lane="vignette.int8").job_id == "one"


def test_the_place_of_a_job_in_its_lane_is_known(farm: AuditedFarm) -> None:
    """Jobs of the same user in front of it, and how many other users take turns."""
    for job in ("a1", "a2", "b1", "a3"):
        farm.submit(job, user=job[0])
    book = LaneIndex(farm.settings)
    late = book.place(LANE, NORMAL, "a", "a3")
    assert (late.jobs, late.mine, late.higher, late.others) == (2, 2, 0, (1,))
    first = book.place(LANE, NORMAL, "b", "b1")
    assert (first.jobs, first.mine, first.others) == (0, 0, (3,))
    assert book.place(LANE, BULK, "b").higher == 4


def _pass_over(farm: AuditedFarm, priority: int, for_ms: int) -> None:
    now, _ = farm.redis.time()
    farm.redis.hset(farm.key("priority_served", LANE), str(priority), now * 1000 - for_ms)
