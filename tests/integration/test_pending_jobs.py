"""Places that submissions hold in the ledger until their jobs are in the store."""

from __future__ import annotations

import pytest
from support.audited_farm import LANE, AuditedFarm, submission
from support.servers import ValkeyServer

from winepress_shared.errors import Conflict, NotFound, QueueFull
from winepress_shared.state import JobState


def test_a_pending_job_takes_room_and_is_drawn_by_nobody(farm: AuditedFarm) -> None:
    """It says so if it is looked at; once it is accepted it is a job like any other."""
    assert farm.hold("job", 3) == ("job", True)
    assert farm.try_claim() is None
    assert farm.ledger.waiting() == {}
    assert farm.redis.get(farm.key("open")) == "3"
    row = farm.ledger.get("job")
    assert (row.state, row.pending) == (JobState.QUEUED, True)
    farm.audit()
    assert farm.accept("job") == ("accepted", "job")
    assert farm.accept("job") == ("earlier", "job"), "its answer was lost, and it is asked again"
    assert not farm.ledger.get("job").pending
    assert set(farm.work_off()) == {"job"}


def test_jobs_keep_the_order_in_which_they_were_held(farm: AuditedFarm) -> None:
    """However long each takes to be written."""
    for job in ("first", "second"):
        farm.hold(job)
    for job in ("second", "first"):
        farm.accept(job)
    assert farm.work_off() == ["first", "second"]


def test_an_acceptance_says_how_many_tickets_the_lane_has(farm: AuditedFarm) -> None:
    """For several jobs of one lane this is asked once, and tickets are sent once."""
    farm.hold_all(submission("one"), submission("two"))
    farm.ledger.beat("w1", "w1/1", {"lanes": [LANE]})
    farm.redis.lpush(farm.key("queue", LANE), "x")
    found = farm.pending.accept(["one", "two"])
    assert [(one.queued, one.workers) for one in found] == [(1, 1)] * 2


def test_all_jobs_of_a_submission_are_held_or_none(valkey_server: ValkeyServer) -> None:
    """The refusal tells what waits, without the jobs of the same submission."""
    farm = AuditedFarm(valkey_server.url, queue_limit=10)
    farm.submit("before", 4)
    with pytest.raises(QueueFull, match=r"got 4.*10 units"):
        farm.hold_all(submission("one", 4), submission("two", 4))
    assert [row.id for row in farm.ledger.jobs()] == ["before"]
    farm.hold_all(submission("one", 4), submission("two", 2))
    farm.audit()
    farm.close()


def test_hundreds_of_jobs_are_held_and_accepted_together(farm: AuditedFarm) -> None:
    """In pages, in order."""
    jobs = [submission(f"j{number}") for number in range(1201)]
    assert [hold.id for hold in farm.hold_all(*jobs)] == [job.id for job in jobs]
    found = farm.pending.accept([job.id for job in jobs])
    assert [one.id for one in found] == [job.id for job in jobs]
    assert farm.ledger.waiting() == {LANE: 1201}


def test_a_job_is_held_once_though_it_is_asked_for_twice(farm: AuditedFarm) -> None:
    """A client whose answer was lost sends it again."""
    for _ in range(2):
        assert farm.hold("job", 2, idempotency_key="k") == ("job", True)
    assert farm.redis.get(farm.key("open")) == "2"


def test_an_accepted_job_has_its_key_and_a_pending_one_may_lose_it(farm: AuditedFarm) -> None:
    """Two submissions under one key at once: whichever is accepted first stays, in either order."""
    farm.hold("one", idempotency_key="k")
    assert farm.hold("two", idempotency_key="k") == ("one", True)
    assert farm.hold("two", idempotency_key="k", beside=True) == ("two", True)
    farm.audit()
    assert farm.accept("two") == ("accepted", "two")
    assert [row.id for row in farm.ledger.jobs()] == ["two"]
    assert farm.accept("one") == ("withdrawn", "one")
    assert farm.submit("one", idempotency_key="k") == "two"
    assert farm.hold("three", idempotency_key="k") == ("two", False)


def test_a_job_whose_key_was_taken_while_nobody_owned_it_gives_way(farm: AuditedFarm) -> None:
    """A third submission under one key, or one that was held for longer than a day."""
    for job in ("one", "two"):
        farm.hold(job, idempotency_key="k", beside=True)
    farm.redis.delete(farm.key("idem", "ada", "k"))
    assert farm.accept("two") == ("accepted", "two")
    assert farm.accept("one") == ("known", "two")
    assert farm.accept("one") == ("withdrawn", "one"), "its job.json may be in the store"
    assert [row.id for row in farm.ledger.jobs()] == ["two"]


def test_a_job_that_is_entered_beats_a_pending_one_under_its_key(farm: AuditedFarm) -> None:
    """It is in the store already."""
    farm.hold("one", 3, idempotency_key="k")
    assert farm.submit("two", idempotency_key="k") == "two"
    assert farm.accept("one") == ("withdrawn", "one")
    assert [row.id for row in farm.ledger.jobs()] == ["two"]


def test_a_key_keeps_its_meaning_while_its_job_is_pending(farm: AuditedFarm) -> None:
    """Another wish under it is refused, whether it comes before or after."""
    farm.hold("one", idempotency_key="k")
    with pytest.raises(Conflict, match="one"):
        farm.hold("two", idempotency_key="k", digest="d2")
    farm.redis.delete(farm.key("idem", "ada", "k"))
    farm.submit("two", idempotency_key="k", digest="d2")
    assert farm.accept("one") == ("conflict", "two")


def test_the_deadline_of_a_pending_job_is_kept_when_it_is_accepted(farm: AuditedFarm) -> None:
    """Before, nothing ends it but its own submission."""
    farm.hold("job", expires_in_ms=1)
    farm.sweep()
    assert farm.state("job") == JobState.QUEUED
    farm.accept("job")
    farm.hold("endless")
    farm.accept("endless")
    farm.sweep()
    assert farm.state("job") == JobState.EXPIRED
    assert farm.state("endless") == JobState.QUEUED


def test_a_dropped_job_leaves_room_and_its_key(farm: AuditedFarm) -> None:
    """As if it had never been there; a job that was accepted is not dropped."""
    farm.hold("job", 3, idempotency_key="k")
    farm.submit("other")
    farm.pending.drop(["job", "other", "nonesuch"])
    farm.audit()
    with pytest.raises(NotFound):
        farm.ledger.get("job")
    assert farm.accept("job") == ("missing", "job")
    assert farm.hold("again", 3, idempotency_key="k") == ("again", True)


def test_what_was_withdrawn_enters_by_no_way(farm: AuditedFarm) -> None:
    """Its job.json may still lie in the store, or come there late."""
    farm.hold("job", 3, idempotency_key="k")
    assert farm.pending.withdraw([("job", "k"), ("never", "")], "it failed") == [None, None]
    farm.audit()
    for job in ("job", "never"):
        assert farm.accept(job) == ("withdrawn", job)
        with pytest.raises(Conflict, match="undone"):
            farm.submit(job)
        assert farm.limits.unknown_jobs([job]) == []
    assert farm.hold("again", 3, idempotency_key="k") == ("again", True)
    farm.pending.forget("job")
    assert farm.limits.unknown_jobs(["job", "never"]) == ["job"]


def test_a_job_that_is_withdrawn_after_it_was_accepted_is_canceled(farm: AuditedFarm) -> None:
    """Its key is free, but not that of another job; what has ended stays as it is."""
    farm.submit("job", idempotency_key="k")
    farm.submit("other", idempotency_key="l")
    assert farm.pending.withdraw([("job", "k")], "it failed") == [JobState.CANCELED]
    assert farm.ledger.get("job").reason == "it failed"
    assert farm.submit("again", idempotency_key="k") == "again"
    farm.pending.withdraw([("job", "l"), ("job", "k")], "it failed")
    assert farm.submit("third", idempotency_key="k") == "again"
    assert farm.submit("third", idempotency_key="l") == "other"


@pytest.mark.parametrize("is_accepted", [True, False])
def test_a_job_that_another_submission_was_told_of_is_not_undone(
    farm: AuditedFarm, is_accepted: bool
) -> None:
    """Whoever was answered with its id relies on it, although the first submission failed."""
    farm.hold("one", idempotency_key="k")
    if is_accepted:
        farm.accept("one")
    assert farm.hold("two", idempotency_key="k") == ("one", not is_accepted)
    assert farm.pending.withdraw([("one", "k")], "it failed") == [JobState.QUEUED]
    assert farm.accept("one")[0] == ("earlier" if is_accepted else "accepted")


def test_a_pending_job_can_be_canceled_and_is_then_no_longer_pending(farm: AuditedFarm) -> None:
    """Whoever sees it in the list may not want it; its submission finds it canceled."""
    farm.hold("job", 3, idempotency_key="k")
    farm.ledger.control("job", "pause")
    farm.ledger.control("job", "resume")
    farm.ledger.control("job", "cancel", "enough")
    farm.audit()
    assert farm.accept("job") == ("earlier", "job")
    assert farm.state("job") == JobState.CANCELED


def test_what_is_overdue_is_given_to_one_worker_at_a_time(farm: AuditedFarm) -> None:
    """And to another when the first did nothing about it."""
    for job in ("slow", "dead"):
        farm.hold(job)
    farm.pending.withdraw([("gone", "")], "it failed")
    assert farm.pending.overdue(10) == ([], [])
    farm.redis.zadd(farm.key("pending"), {"slow": 2, "dead": 1})
    assert farm.pending.overdue(1) == (["dead"], [])
    assert farm.pending.overdue(1) == (["slow"], [])
    for _ in range(2):
        farm.redis.zadd(farm.key("pending"), {"dead": 1})
        farm.redis.zadd(farm.key("withdrawn"), {"gone": 1})
        assert farm.pending.overdue(10) == (["dead"], ["gone"])
        assert farm.pending.overdue(10) == ([], [])


def test_a_damaged_record_keeps_no_other_job_from_being_accepted(
    valkey_server: ValkeyServer,
) -> None:
    """And no worker looks after it for ever; `doctor` names it."""
    farm = AuditedFarm(valkey_server.url)
    farm.hold_all(*map(submission, ("bad", "worse", "lost", "good")))
    farm.redis.hdel(farm.key("job", "bad"), "lane")
    farm.redis.delete(farm.key("job", "worse"), farm.key("job", "lost"))
    farm.redis.set(farm.key("job", "worse"), "x")
    found = farm.pending.accept(["bad", "worse", "lost", "good"])
    assert [one.decision.value for one in found] == ["damaged", "damaged", "missing", "accepted"]
    farm.pending.drop(["bad", "worse", "lost"])
    assert farm.redis.zcard(farm.key("pending")) == 0
    assert farm.work_off() == ["good"]
    farm.close()
