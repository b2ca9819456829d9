"""Who is next in a lane: bands with patience, users in turn, oldest job first."""

from __future__ import annotations

import pytest
from clerk import LANE, Clerk

from winepress_shared.ledger.lanes import LaneIndex
from winepress_shared.ledger.ledger import PATIENCE_MS

INTERACTIVE, NORMAL, BULK = 0, 1, 2


def test_users_take_turns_whatever_each_of_them_submitted(clerk: Clerk) -> None:
    """A1 A2 B1 C1 C2 A3 is served as A B C A C A."""
    for job in ("a1", "a2", "b1", "c1", "c2", "a3"):
        clerk.submit(job, user=job[0])
    assert clerk.work_off() == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_a_user_who_floods_the_lane_does_not_delay_another(clerk: Clerk) -> None:
    """Whoever comes later waits for one slice of each other user, not for the flood."""
    for number in range(50):
        clerk.submit(f"flood{number:02d}", user="flood")
    clerk.submit("late", user="late")
    assert clerk.work_off()[:3] == ["flood00", "late", "flood01"]


def test_the_oldest_job_of_a_user_goes_first_even_within_one_millisecond(clerk: Clerk) -> None:
    """Order is that of submission; neither the clock nor the id decides."""
    names = [f"j{number * 7919 % 100:02d}" for number in range(100)]
    for name in names:
        clerk.submit(name)
    assert [row.id for row in clerk.ledger.jobs(limit=100)] == names[::-1]
    assert clerk.work_off() == names


def test_bands_are_served_in_their_order(clerk: Clerk) -> None:
    """Interactive before normal before bulk, however long ago the others came."""
    for band, job in ((BULK, "bulk"), (NORMAL, "normal"), (INTERACTIVE, "interactive")):
        clerk.submit(job, band=band)
    assert clerk.work_off() == ["interactive", "normal", "bulk"]


@pytest.mark.parametrize("band", [NORMAL, BULK])
def test_a_band_passed_over_longer_than_its_patience_gets_one_slice(
    clerk: Clerk, band: int
) -> None:
    """One slice, then it waits again: patience is not priority."""
    for number in range(3):
        clerk.submit(f"hot{number}", band=INTERACTIVE)
        clerk.submit(f"cold{number}", band=band)
    clerk.draw(hot := clerk.claim())
    assert hot.job_id == "hot0"
    _pass_over(clerk, band, PATIENCE_MS[band] + 1000)
    assert clerk.work_off() == ["cold0", "hot1", "hot2", "cold1", "cold2"]


def test_a_band_passed_over_for_less_than_its_patience_goes_on_waiting(clerk: Clerk) -> None:
    """Just below the bound nothing changes."""
    clerk.submit("hot", band=INTERACTIVE)
    clerk.submit("cold", band=BULK)
    _pass_over(clerk, BULK, PATIENCE_MS[BULK] - 60_000)
    assert clerk.work_off() == ["hot", "cold"]


def test_a_user_whose_unit_failed_keeps_their_turn(clerk: Clerk) -> None:
    """A fault must not send its user to the end of the line."""
    clerk.submit("a1", 3, user="a")
    bad = clerk.claim(most=1)
    clerk.submit("b1", 3, user="b")
    clerk.draw(clerk.claim(most=1))  # a again: b came later
    clerk.submit("a2", user="a")
    clerk.draw(clerk.claim(most=1))  # b
    clerk.fail(bad, 0)
    assert clerk.claim(most=1).job_id == "a1"


def test_a_band_does_not_lose_its_patience_when_one_of_its_leases_ends(clerk: Clerk) -> None:
    """Its clock runs on although its only job was given back meanwhile."""
    clerk.submit("cold", 2, band=BULK)
    part = clerk.claim(most=1)
    clerk.submit("hot", 9, band=INTERACTIVE)
    _pass_over(clerk, BULK, PATIENCE_MS[BULK] + 1000)
    clerk.ledger.release(part.fence, "w1/1")
    assert clerk.claim(most=1).job_id == "cold"


def test_lanes_do_not_see_each_other(clerk: Clerk) -> None:
    """A claim of one lane never gets another lane's job."""
    clerk.submit("one", lane="vignette.int8")
    assert clerk.try_claim(lane=LANE) is None
    assert clerk.claim(lane="vignette.int8").job_id == "one"


def test_the_place_of_a_job_in_its_lane_is_known(clerk: Clerk) -> None:
    """Jobs of the same user in front of it, and how many other users take turns."""
    for job in ("a1", "a2", "b1", "a3"):
        clerk.submit(job, user=job[0])
    book = LaneIndex(clerk.settings)
    late = book.place(LANE, NORMAL, "a", "a3")
    assert (late.jobs, late.mine, late.higher, late.others) == (2, 2, 0, (1,))
    first = book.place(LANE, NORMAL, "b", "b1")
    assert (first.jobs, first.mine, first.others) == (0, 0, (3,))
    assert book.place(LANE, BULK, "b").higher == 4


def _pass_over(clerk: Clerk, band: int, for_ms: int) -> None:
    now, _ = clerk.redis.time()
    clerk.redis.hset(clerk.key("band_served", LANE), str(band), now * 1000 - for_ms)
