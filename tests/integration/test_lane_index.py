"""What workers tell each other about lanes, on a real server."""

from __future__ import annotations

import pytest
from support.audited_farm import LANE, AuditedFarm
from support.virtual_time import VirtualTime

from winepress_shared.ledger.lanes import ALIVE_MS, LaneIndex
from winepress_shared.ledger.ledger import GONE_MS, LEASE_MS

MODEL = "vignette.fp16"


@pytest.fixture
def book(farm: AuditedFarm) -> LaneIndex:
    """The lanes of the farm."""
    return LaneIndex(farm.settings)


def live(farm: AuditedFarm, worker: str, *warm: str) -> None:
    farm.ledger.beat(worker, f"{worker}/1", {})
    farm.ledger.describe_renderer(worker, {"warm": list(warm)})


def grow_old(farm: AuditedFarm, worker: str) -> None:
    farm.redis.zincrby(farm.key("workers"), -ALIVE_MS - 1, worker)


def test_a_lane_shows_its_highest_priority_and_how_long_it_waits(
    farm: AuditedFarm, book: LaneIndex
) -> None:
    """Lanes without work and parked ones are not there."""
    assert book.look("me") == ([], {})
    farm.submit("bulk", 3, priority=2)
    farm.redis.hincrby(farm.key("priority_served", LANE), "2", -90_000)
    farm.submit("now", 1, priority=0)
    (view,), _ = book.look("me")
    assert (view.lane, view.units, view.priority) == (LANE, 4, 0)
    assert view.waited_s < 60 < 90 <= view.longest_s < 150
    farm.redis.set(farm.key("parked", LANE), "resting")
    assert book.look("me")[0] == []
    farm.redis.delete(farm.key("parked", LANE))


def test_a_worker_sees_no_lane_that_it_said_it_does_not_serve(
    farm: AuditedFarm, book: LaneIndex
) -> None:
    """It would fetch the model of one that waits long enough, ahead of a turn that never comes."""
    farm.submit("job")
    farm.submit("foreign", lane="huge.fp16")
    assert {view.lane for view in book.look("me")[0]} == {LANE, "huge.fp16"}
    farm.ledger.beat("me", "me/1", {"lanes": [LANE]})
    assert [view.lane for view in book.look("me")[0]] == [LANE]
    assert len(book.look("")[0]) == 2


def test_holders_are_live_workers_other_than_the_one_who_asks(
    farm: AuditedFarm, book: LaneIndex
) -> None:
    """A worker that dropped the model, or fell silent, holds it no more."""
    farm.submit("job")
    for worker in ("me", "other", "silent", "changed"):
        live(farm, worker, MODEL)
    live(farm, "changed", "else.fp16")
    grow_old(farm, "silent")
    (view,), renderer = book.look("me")
    assert view.holders == 1
    assert renderer == {"warm": [MODEL]}
    farm.ledger.leave("other")
    assert book.look("me")[0][0].holders == 0


def test_a_worker_that_is_gone_for_good_leaves_no_trace_among_the_holders(
    farm: AuditedFarm, book: LaneIndex
) -> None:
    """Where every worker has a new name, a set of the dead would grow for as long as one lives."""
    for worker in ("me", "left", "lost"):
        live(farm, worker, MODEL)
    farm.ledger.leave("left")
    farm.redis.zadd(farm.key("workers"), {"lost": 1})
    farm.sweep()
    assert farm.redis.smembers(farm.key("warm_workers", MODEL)) == {"me"}
    assert not farm.redis.exists(*(farm.key("warm_models", worker) for worker in ("left", "lost")))


def test_after_an_outage_it_is_still_known_what_is_warm(farm: AuditedFarm, book: LaneIndex) -> None:
    """Nobody could beat: who is not back within a lease's time is forgotten then."""
    live(farm, "me", MODEL)
    farm.redis.zincrby(farm.key("workers"), -2 * GONE_MS, "me")
    farm.sweep(after_outage=True)
    farm.sweep()
    assert book.look("me")[1] == {"warm": [MODEL]}
    farm.submit("job")
    assert book.look("other")[0][0].holders == 0, "it is taken for alive"
    farm.redis.zincrby(farm.key("workers"), -LEASE_MS, "me")
    farm.sweep()
    assert book.look("me")[1] == {}


def test_one_worker_at_a_time_loads_a_model(farm: AuditedFarm, book: LaneIndex) -> None:
    """Until it is loaded, or its worker falls silent."""
    farm.submit("job")
    for worker in ("me", "other"):
        live(farm, worker)
    assert book.begin_load("other", MODEL)
    assert book.begin_load("other", MODEL)
    assert not book.begin_load("me", MODEL)
    assert book.begin_load("me", "else.fp16")
    assert book.look("me")[0][0].loading
    assert not book.look("other")[0][0].loading
    live(farm, "other", MODEL)
    assert not book.look("me")[0][0].loading
    assert book.begin_load("other", MODEL)
    grow_old(farm, "other")
    assert not book.look("me")[0][0].loading
    assert book.begin_load("me", MODEL)
    # The one that was silent does not take the mark of another away.
    live(farm, "other")
    assert book.look("other")[0][0].loading


def test_as_many_workers_load_a_model_as_hold_it(farm: AuditedFarm, book: LaneIndex) -> None:
    """A hot lane is spread in doubling steps, not by all at once and not one by one."""
    for worker in ("h1", "h2"):
        live(farm, worker, MODEL)
    for worker in ("w1", "w2", "w3"):
        live(farm, worker)
    assert [book.begin_load(worker, MODEL) for worker in ("w1", "w2", "w3")] == [True, True, False]
    live(farm, "w1", MODEL)
    assert book.begin_load("w3", MODEL)


def test_a_model_that_thousands_hold_or_load_is_counted(farm: AuditedFarm, book: LaneIndex) -> None:
    """Lua passes a few thousand values to a function at most."""
    farm.submit("job")
    now, _ = farm.redis.time()
    names = [f"w{number}" for number in range(9_000)]
    for_long = dict.fromkeys(names, 2 * now * 1000)
    farm.redis.zadd(farm.key("workers"), for_long)
    farm.redis.sadd(farm.key("warm_workers", MODEL), *names)
    farm.redis.mset({farm.key("loading_model", name): MODEL for name in names})
    farm.redis.zadd(farm.key("loading_workers", MODEL), for_long)
    (view,), _ = book.look("me")
    assert (view.holders, view.loading) == (9_000, 9_000)
    assert not book.begin_load("me", MODEL)
    farm.redis.zrem(farm.key("loading_workers", MODEL), "w0")
    assert book.begin_load("me", MODEL)


@pytest.mark.parametrize(("workers", "shared_ms"), [(4, 0), (1_000, 40), (6_000, 200)])
def test_how_long_a_view_is_shared_depends_on_the_size_of_the_farm(
    farm: AuditedFarm, book: LaneIndex, workers: int, shared_ms: int
) -> None:
    """A millisecond for each 25 workers, so that few workers see all as it is."""
    time = VirtualTime(farm, book)
    for number in range(workers):
        farm.redis.zadd(farm.key("workers"), {f"w{number}": 1})
    farm.submit("job", 3)
    seen = [book.look("me")[0][0].units]
    farm.submit("more", 2)
    for passed_ms in (max(0, shared_ms - 10), 20):
        time.advance_to(time.now_s + passed_ms / 1000)
        seen.append(book.look("me")[0][0].units)
    assert seen == [3, 3 if shared_ms else 5, 5]


def test_a_large_farm_shares_what_it_sees_for_a_moment(farm: AuditedFarm, book: LaneIndex) -> None:
    """Each worker still counts itself out; a fifth of a second later all is seen anew."""
    time = VirtualTime(farm, book)
    for number in range(1000):
        farm.redis.zadd(farm.key("workers"), {f"w{number}": int(time.now_s * 1000)})
    live(farm, "me", MODEL)
    farm.submit("job", 3)
    assert [view.units for view in book.look("other")[0]] == [3]
    farm.submit("more", 2)
    (mine,), _ = book.look("me")
    (theirs,), _ = book.look("other")
    assert (mine.units, mine.holders, theirs.holders) == (3, 0, 1)
    time.advance_to(time.now_s + 0.2)
    assert book.look("me")[0][0].units == 5


def test_how_long_a_lane_was_left_alone_is_told_apart_from_its_priorities(
    farm: AuditedFarm, book: LaneIndex
) -> None:
    """A lane that is served all the time has a low priority that waits all the same."""
    farm.submit("bulk", priority=2)
    farm.redis.hincrby(farm.key("priority_served", LANE), "2", -90_000)
    assert book.look("me")[0][0].idle_s >= 90
    farm.submit("now", 4, priority=0)
    farm.claim(1)
    (view,), _ = book.look("me")
    assert view.idle_s < 60 < view.longest_s
