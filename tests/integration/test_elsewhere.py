"""A unit that a worker failed at is drawn by another, where there is one."""

from __future__ import annotations

import json

from support.audited_farm import LANE, AuditedFarm

from winepress_shared.ledger.lanes import ALIVE_MS, LaneIndex
from winepress_shared.ledger.ledger import holder_of

BAD = holder_of("bad", 1)


def live(farm: AuditedFarm, *workers: str, lane: str = LANE) -> None:
    for worker in workers:
        farm.ledger.beat(worker, f"{worker}/1", {"lanes": [lane]})


def fail_once(farm: AuditedFarm, job: str, worker: str) -> None:
    slice_ = farm.claim(1, worker)
    assert (slice_.job_id, slice_.units) == (job, (0,))
    farm.ledger.start(slice_.fence, 0)
    farm.fail(slice_, 0)
    farm.make_due(job)


def test_a_failed_unit_is_left_to_another_live_worker(farm: AuditedFarm) -> None:
    """The one that failed goes on with other units, then with other jobs."""
    live(farm, "bad", "good")
    farm.submit("job", 2)
    fail_once(farm, "job", "bad")
    farm.submit("other", user="bob")
    age_by(farm, 0)
    first, second = farm.claim(1, "bad"), farm.claim(1, "bad")
    assert {(first.job_id, first.units), (second.job_id, second.units)} == {
        ("job", (1,)),
        ("other", (0,)),
    }
    book = LaneIndex(farm.settings)
    assert not book.look("bad")[0][0].is_shunned
    assert farm.try_claim(1, "bad") is None
    assert book.look("bad")[0][0].is_shunned, "it must not take the tickets that call the other"
    assert not book.look("good")[0][0].is_shunned
    again = farm.claim(1, "good")
    assert (again.job_id, again.units, again.attempts) == ("job", (0,), 1)


def test_a_worker_is_known_by_its_whole_name(farm: AuditedFarm) -> None:
    """Signs in it mean nothing: most hosts have names like these."""
    live(farm, "node-1.farm", "node-1")
    farm.submit("job")
    fail_once(farm, "job", "node-1.farm")
    age_by(farm, 0)
    assert farm.try_claim(1, "node-1.farm") is None
    assert farm.claim(1, "node-1").attempts == 1


def test_a_worker_that_found_an_empty_lane_takes_its_next_tickets(farm: AuditedFarm) -> None:
    """There was nothing that it may not draw, only nothing."""
    live(farm, "w1", "w2")
    assert farm.try_claim(1, "w1") is None
    farm.submit("job")
    assert not LaneIndex(farm.settings).look("w1")[0][0].is_shunned


def test_a_picture_that_killed_its_worker_goes_elsewhere_too(farm: AuditedFarm) -> None:
    """A lost worker comes back under its name."""
    live(farm, "bad", "good")
    farm.submit("job")
    slice_ = farm.claim(1, "bad")
    farm.ledger.start(slice_.fence, 0)
    farm.lose(slice_)
    age_by(farm, 0)
    assert farm.try_claim(1, "bad") is None
    assert farm.claim(1, "good").attempts == 1


def test_a_model_that_killed_its_worker_at_its_load_goes_elsewhere_too(farm: AuditedFarm) -> None:
    """It was loaded for the first picture of the slice, which no attempt had begun."""
    live(farm, "bad", "good")
    farm.submit("job")
    farm.lose(farm.claim(1, "bad"))
    age_by(farm, 0)
    assert farm.try_claim(1, "bad") is None
    assert farm.claim(1, "good").attempts == 1


def test_what_a_workers_surroundings_did_not_serve_comes_after_all_else(farm: AuditedFarm) -> None:
    """That is, where it asks for that; it is no attempt, and no matter to any other worker."""
    farm.submit("old", 2)
    slice_ = farm.claim(1, "bad")
    farm.ledger.start(slice_.fence, 0)
    farm.ledger.release(slice_.fence, BAD, unserved=0)
    farm.submit("new", user="bob")
    asked = [farm.ledger.claim(LANE, "bad", BAD, 1, others_first=True) for _ in range(3)]
    found = [(slice_.job_id, slice_.units, slice_.attempts) for slice_ in asked if slice_]
    assert sorted(found[:2]) == [("new", (0,), 0), ("old", (1,), 0)]
    assert found[2] == ("old", (0,), 0), "nothing else was left"
    farm.ledger.release(asked[2].fence if asked[2] else 0, BAD, unserved=0)
    assert farm.claim(1, "good").units == (0,)


def test_without_another_live_worker_of_the_lane_the_same_one_tries_again(
    farm: AuditedFarm,
) -> None:
    """Workers that are silent, gone, of other lanes, or that failed themselves do not count."""
    live(farm, "bad", "silent", "gone", "worse")
    live(farm, "changed")
    live(farm, "changed", "elsewhere", lane="vignette.int8")
    farm.redis.zincrby(farm.key("workers"), -ALIVE_MS - 1, "silent")
    farm.ledger.leave("gone")
    farm.submit("job")
    fail_once(farm, "job", "worse")
    fail_once(farm, "job", "bad")
    age_by(farm, 0)
    assert farm.claim(1, "bad").attempts == 2


def test_a_unit_does_not_wait_for_ever_for_another_worker(farm: AuditedFarm) -> None:
    """After a minute that no other worker found time, whoever asks may have it."""
    live(farm, "bad", "busy")
    farm.submit("job")
    fail_once(farm, "job", "bad")
    age_by(farm, 50_000)
    assert farm.try_claim(1, "bad") is None
    age_by(farm, 70_000)
    assert farm.claim(1, "bad").attempts == 1


def test_a_chain_goes_on_at_another_worker(farm: AuditedFarm) -> None:
    """Nothing behind the failed unit is drawn before it."""
    live(farm, "bad", "good")
    farm.submit("zoom", 3, chained=True)
    fail_once(farm, "zoom", "bad")
    age_by(farm, 0, "zoom")
    assert farm.try_claim(1, "bad") is None
    assert farm.claim(1, "good").units == (0,)


def test_nothing_is_remembered_of_a_unit_that_ended(farm: AuditedFarm) -> None:
    """Nor of a worker that left."""
    live(farm, "bad", "good")
    farm.submit("job")
    fail_once(farm, "job", "bad")
    farm.draw(slice_ := farm.claim(1, "good"))
    assert not farm.redis.exists(farm.key("failers", "job"))
    farm.ledger.finish(slice_.fence)
    farm.ledger.leave("bad")
    farm.redis.zadd(farm.key("workers"), {"good": 1})
    farm.sweep()
    assert list(farm.redis.scan_iter(farm.key("serving*"))) == []


def test_a_worker_says_its_lanes_again_when_they_change(farm: AuditedFarm) -> None:
    """What it no longer serves is not expected of it."""
    live(farm, "one")
    live(farm, "one", lane="vignette.int8")
    assert farm.redis.smembers(farm.key("lane_workers", "vignette.int8")) == {"one"}
    assert not farm.redis.exists(farm.key("lane_workers", LANE))
    assert json.loads(str(farm.redis.get(farm.key("worker", "one"))))["lanes"] == ["vignette.int8"]


def age_by(farm: AuditedFarm, waited_ms: int, job: str = "job") -> None:
    """Let what waits again of a job have been due for that long."""
    now, _ = farm.redis.time()
    members = farm.redis.zrange(farm.key("retry", job), 0, -1)
    due = dict.fromkeys(map(str, members), now * 1000 - waited_ms)
    farm.redis.zadd(farm.key("retry", job), due)
