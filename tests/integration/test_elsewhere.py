"""A unit that a worker failed at is drawn by another, where there is one."""

from __future__ import annotations

import json

from clerk import LANE, Clerk

from winepress_shared.ledger.lanes import ALIVE_MS, LaneIndex
from winepress_shared.ledger.ledger import holder_of

BAD = holder_of("bad", 1)


def live(clerk: Clerk, *workers: str, lane: str = LANE) -> None:
    for worker in workers:
        clerk.ledger.beat(worker, f"{worker}/1", {"lanes": [lane]})


def fail_once(clerk: Clerk, job: str, worker: str) -> None:
    part = clerk.claim(1, worker)
    assert (part.job_id, part.units) == (job, (0,))
    clerk.ledger.start(part.fence, 0)
    clerk.fail(part, 0)
    clerk.make_due(job)


def test_a_failed_unit_is_left_to_another_live_worker(clerk: Clerk) -> None:
    """The one that failed goes on with other units, then with other jobs."""
    live(clerk, "bad", "good")
    clerk.submit("job", 2)
    fail_once(clerk, "job", "bad")
    clerk.submit("other", user="bob")
    age_by(clerk, 0)
    first, second = clerk.claim(1, "bad"), clerk.claim(1, "bad")
    assert {(first.job_id, first.units), (second.job_id, second.units)} == {
        ("job", (1,)),
        ("other", (0,)),
    }
    book = LaneIndex(clerk.settings)
    assert not book.look("bad")[0][0].is_shunned
    assert clerk.try_claim(1, "bad") is None
    assert book.look("bad")[0][0].is_shunned, "it must not take the tickets that call the other"
    assert not book.look("good")[0][0].is_shunned
    again = clerk.claim(1, "good")
    assert (again.job_id, again.units, again.attempts) == ("job", (0,), 1)


def test_a_picture_that_killed_its_worker_goes_elsewhere_too(clerk: Clerk) -> None:
    """A lost worker comes back under its name."""
    live(clerk, "bad", "good")
    clerk.submit("job")
    part = clerk.claim(1, "bad")
    clerk.ledger.start(part.fence, 0)
    clerk.lose(part)
    age_by(clerk, 0)
    assert clerk.try_claim(1, "bad") is None
    assert clerk.claim(1, "good").attempts == 1


def test_what_a_workers_surroundings_did_not_serve_comes_after_all_else(clerk: Clerk) -> None:
    """That is, where it asks for that; it is no attempt, and no matter to any other worker."""
    clerk.submit("old", 2)
    part = clerk.claim(1, "bad")
    clerk.ledger.start(part.fence, 0)
    clerk.ledger.release(part.fence, BAD, unserved=0)
    clerk.submit("new", user="bob")
    asked = [clerk.ledger.claim(LANE, "bad", BAD, 1, others_first=True) for _ in range(3)]
    found = [(part.job_id, part.units, part.attempts) for part in asked if part]
    assert sorted(found[:2]) == [("new", (0,), 0), ("old", (1,), 0)]
    assert found[2] == ("old", (0,), 0), "nothing else was left"
    clerk.ledger.release(asked[2].fence if asked[2] else 0, BAD, unserved=0)
    assert clerk.claim(1, "good").units == (0,)


def test_without_another_live_worker_of_the_lane_the_same_one_tries_again(clerk: Clerk) -> None:
    """Workers that are silent, gone, of other lanes, or that failed themselves do not count."""
    live(clerk, "bad", "silent", "gone", "worse")
    live(clerk, "changed")
    live(clerk, "changed", "elsewhere", lane="vignette.int8")
    clerk.redis.zincrby(clerk.key("workers"), -ALIVE_MS - 1, "silent")
    clerk.ledger.leave("gone")
    clerk.submit("job")
    fail_once(clerk, "job", "worse")
    fail_once(clerk, "job", "bad")
    age_by(clerk, 0)
    assert clerk.claim(1, "bad").attempts == 2


def test_a_unit_does_not_wait_for_ever_for_another_worker(clerk: Clerk) -> None:
    """After a minute that no other worker found time, whoever asks may have it."""
    live(clerk, "bad", "busy")
    clerk.submit("job")
    fail_once(clerk, "job", "bad")
    age_by(clerk, 50_000)
    assert clerk.try_claim(1, "bad") is None
    age_by(clerk, 70_000)
    assert clerk.claim(1, "bad").attempts == 1


def test_a_chain_goes_on_at_another_worker(clerk: Clerk) -> None:
    """Nothing behind the failed unit is drawn before it."""
    live(clerk, "bad", "good")
    clerk.submit("zoom", 3, chained=True)
    fail_once(clerk, "zoom", "bad")
    age_by(clerk, 0, "zoom")
    assert clerk.try_claim(1, "bad") is None
    assert clerk.claim(1, "good").units == (0,)


def test_nothing_is_remembered_of_a_unit_that_ended(clerk: Clerk) -> None:
    """Nor of a worker that left."""
    live(clerk, "bad", "good")
    clerk.submit("job")
    fail_once(clerk, "job", "bad")
    clerk.draw(part := clerk.claim(1, "good"))
    assert not clerk.redis.exists(clerk.key("failers", "job"))
    clerk.ledger.finish(part.fence)
    clerk.ledger.leave("bad")
    clerk.redis.zadd(clerk.key("workers"), {"good": 1})
    clerk.sweep()
    assert list(clerk.redis.scan_iter(clerk.key("serving*"))) == []


def test_a_worker_says_its_lanes_again_when_they_change(clerk: Clerk) -> None:
    """What it no longer serves is not expected of it."""
    live(clerk, "one")
    live(clerk, "one", lane="vignette.int8")
    assert clerk.redis.smembers(clerk.key("lane_workers", "vignette.int8")) == {"one"}
    assert not clerk.redis.exists(clerk.key("lane_workers", LANE))
    assert json.loads(str(clerk.redis.get(clerk.key("worker", "one"))))["lanes"] == [
        "vignette.int8"
    ]


def age_by(clerk: Clerk, waited_ms: int, job: str = "job") -> None:
    """Let what waits again of a job have been due for that long."""
    now, _ = clerk.redis.time()
    members = clerk.redis.zrange(clerk.key("retry", job), 0, -1)
    due = dict.fromkeys(map(str, members), now * 1000 - waited_ms)
    clerk.redis.zadd(clerk.key("retry", job), due)
