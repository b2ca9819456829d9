"""What workers tell each other about lanes, on a real server."""

from __future__ import annotations

import pytest
from clerk import LANE, Clerk
from virtual_time import VirtualTime

from winepress_shared.ledger.lanes import ALIVE_MS, LaneIndex
from winepress_shared.ledger.ledger import GONE_MS, LEASE_MS

MODEL = "vignette.fp16"


@pytest.fixture
def book(clerk: Clerk) -> LaneIndex:
    """The lanes of the clerk's farm."""
    return LaneIndex(clerk.settings)


def live(clerk: Clerk, worker: str, *warm: str) -> None:
    clerk.ledger.beat(worker, f"{worker}/1", {})
    clerk.ledger.describe_renderer(worker, {"warm": list(warm)})


def grow_old(clerk: Clerk, worker: str) -> None:
    clerk.redis.zincrby(clerk.key("workers"), -ALIVE_MS - 1, worker)


def test_a_lane_shows_its_highest_band_and_how_long_it_waits(clerk: Clerk, book: LaneIndex) -> None:
    """Lanes without work and parked ones are not there."""
    assert book.look("me") == ([], {})
    clerk.submit("bulk", 3, band=2)
    clerk.redis.hincrby(clerk.key("band_served", LANE), "2", -90_000)
    clerk.submit("now", 1, band=0)
    (view,), _ = book.look("me")
    assert (view.lane, view.units, view.band) == (LANE, 4, 0)
    assert view.waited_s < 60 < 90 <= view.longest_s < 150
    clerk.redis.set(clerk.key("parked", LANE), "resting")
    assert book.look("me")[0] == []
    clerk.redis.delete(clerk.key("parked", LANE))


def test_a_worker_sees_no_lane_that_it_said_it_does_not_serve(
    clerk: Clerk, book: LaneIndex
) -> None:
    """It would fetch the model of one that waits long enough, ahead of a turn that never comes."""
    clerk.submit("job")
    clerk.submit("foreign", lane="huge.fp16")
    assert {view.lane for view in book.look("me")[0]} == {LANE, "huge.fp16"}
    clerk.ledger.beat("me", "me/1", {"lanes": [LANE]})
    assert [view.lane for view in book.look("me")[0]] == [LANE]
    assert len(book.look("")[0]) == 2


def test_holders_are_live_workers_other_than_the_one_who_asks(
    clerk: Clerk, book: LaneIndex
) -> None:
    """A worker that dropped the model, or fell silent, holds it no more."""
    clerk.submit("job")
    for worker in ("me", "other", "silent", "changed"):
        live(clerk, worker, MODEL)
    live(clerk, "changed", "else.fp16")
    grow_old(clerk, "silent")
    (view,), renderer = book.look("me")
    assert view.holders == 1
    assert renderer == {"warm": [MODEL]}
    clerk.ledger.leave("other")
    assert book.look("me")[0][0].holders == 0


def test_a_worker_that_is_gone_for_good_leaves_no_trace_among_the_holders(
    clerk: Clerk, book: LaneIndex
) -> None:
    """Where every worker has a new name, a set of the dead would grow for as long as one lives."""
    for worker in ("me", "left", "lost"):
        live(clerk, worker, MODEL)
    clerk.ledger.leave("left")
    clerk.redis.zadd(clerk.key("workers"), {"lost": 1})
    clerk.sweep()
    assert clerk.redis.smembers(clerk.key("warm_workers", MODEL)) == {"me"}
    assert not clerk.redis.exists(
        *(clerk.key("warm_models", worker) for worker in ("left", "lost"))
    )


def test_after_an_outage_it_is_still_known_what_is_warm(clerk: Clerk, book: LaneIndex) -> None:
    """Nobody could beat: who is not back within a lease's time is forgotten then."""
    live(clerk, "me", MODEL)
    clerk.redis.zincrby(clerk.key("workers"), -2 * GONE_MS, "me")
    clerk.sweep(after_outage=True)
    clerk.sweep()
    assert book.look("me")[1] == {"warm": [MODEL]}
    clerk.submit("job")
    assert book.look("other")[0][0].holders == 0, "it is taken for alive"
    clerk.redis.zincrby(clerk.key("workers"), -LEASE_MS, "me")
    clerk.sweep()
    assert book.look("me")[1] == {}


def test_one_worker_at_a_time_loads_a_model(clerk: Clerk, book: LaneIndex) -> None:
    """Until it is loaded, or its worker falls silent."""
    clerk.submit("job")
    for worker in ("me", "other"):
        live(clerk, worker)
    assert book.begin_load("other", MODEL)
    assert book.begin_load("other", MODEL)
    assert not book.begin_load("me", MODEL)
    assert book.begin_load("me", "else.fp16")
    assert book.look("me")[0][0].loading
    assert not book.look("other")[0][0].loading
    live(clerk, "other", MODEL)
    assert not book.look("me")[0][0].loading
    assert book.begin_load("other", MODEL)
    grow_old(clerk, "other")
    assert not book.look("me")[0][0].loading
    assert book.begin_load("me", MODEL)
    # The one that was silent does not take the mark of another away.
    live(clerk, "other")
    assert book.look("other")[0][0].loading


def test_as_many_workers_load_a_model_as_hold_it(clerk: Clerk, book: LaneIndex) -> None:
    """A hot lane is spread in doubling steps, not by all at once and not one by one."""
    for worker in ("h1", "h2"):
        live(clerk, worker, MODEL)
    for worker in ("w1", "w2", "w3"):
        live(clerk, worker)
    assert [book.begin_load(worker, MODEL) for worker in ("w1", "w2", "w3")] == [True, True, False]
    live(clerk, "w1", MODEL)
    assert book.begin_load("w3", MODEL)


def test_a_large_farm_shares_what_it_sees_for_a_moment(clerk: Clerk, book: LaneIndex) -> None:
    """Each worker still counts itself out; a fifth of a second later all is seen anew."""
    time = VirtualTime(clerk, book)
    for number in range(1000):
        clerk.redis.zadd(clerk.key("workers"), {f"w{number}": int(time.now_s * 1000)})
    live(clerk, "me", MODEL)
    clerk.submit("job", 3)
    assert [view.units for view in book.look("other")[0]] == [3]
    clerk.submit("more", 2)
    (mine,), _ = book.look("me")
    (theirs,), _ = book.look("other")
    assert (mine.units, mine.holders, theirs.holders) == (3, 0, 1)
    time.advance_to(time.now_s + 0.2)
    assert book.look("me")[0][0].units == 5


def test_how_long_a_lane_was_left_alone_is_told_apart_from_its_bands(
    clerk: Clerk, book: LaneIndex
) -> None:
    """A lane that is served all the time has a low band that waits all the same."""
    clerk.submit("bulk", band=2)
    clerk.redis.hincrby(clerk.key("band_served", LANE), "2", -90_000)
    assert book.look("me")[0][0].idle_s >= 90
    clerk.submit("now", 4, band=0)
    clerk.claim(1)
    (view,), _ = book.look("me")
    assert view.idle_s < 60 < view.longest_s
