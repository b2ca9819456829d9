"""What users do to a job: cancel, pause, resume, retry; deadlines; what is remembered."""

from __future__ import annotations

import pytest
from clerk import LANE, Clerk

from winepress_shared.errors import Conflict, NotFound
from winepress_shared.ledger.ledger import holder_of
from winepress_shared.ledger.records import Order, UnitOutcome
from winepress_shared.ledger.script_server import Channel
from winepress_shared.state import JobState

ENDS = ("canceled", "failed", "expired")


def test_a_canceled_job_is_never_handed_out_again(clerk: Clerk) -> None:
    """Nothing waits of it; canceling it twice is no mistake."""
    clerk.submit("job", 5)
    clerk.ledger.control("job", "pause")
    for _ in range(2):
        assert clerk.ledger.control("job", "cancel", "no longer needed") is JobState.CANCELED
    assert clerk.try_claim() is None
    row = clerk.ledger.get("job")
    assert (row.reason, row.paused) == ("no longer needed", False)


def test_a_cancel_reaches_whoever_draws_the_job_at_once(clerk: Clerk) -> None:
    """Its fence comes down the channel of its renderer; beat, step and commit say the same."""
    clerk.submit("job", 6)
    clerk.submit("other", 2, lane="vignette.int8")
    mine = clerk.claim(most=2)
    channel = clerk.ledger.orders(holder_of("w1", 1))
    bystander = clerk.ledger.orders(holder_of("w2", 1))
    clerk.claim(worker="w2", lane="vignette.int8")
    clerk.ledger.control("job", "cancel")
    message = _next(channel)
    assert message == str(mine.fence)
    assert bystander.get_message(timeout=0.05) is None
    assert clerk.ledger.progress(mine.fence, 0, 1, 2) is Order.CANCEL
    assert clerk.ledger.start(mine.fence, 1) is Order.CANCEL
    (lease,) = clerk.ledger.beat("w1", "w1/1", {}).leases
    assert lease.order is Order.CANCEL
    assert clerk.ledger.events("job")[-1].name == "canceled"
    channel.close()
    bystander.close()


def test_a_picture_that_comes_after_the_cancel_is_not_counted(clerk: Clerk) -> None:
    """Never both; and a renderer that has reported all its units holds nothing any more."""
    clerk.submit("job", 4)
    part = clerk.claim(most=2)
    clerk.ledger.control("job", "cancel")
    assert clerk.draw(part) == [UnitOutcome.CANCEL, UnitOutcome.CANCEL]
    assert clerk.ledger.get("job").done == 0
    assert clerk.ledger.beat("w1", "w1/1", {}).leases == ()


def test_a_cancel_between_the_last_picture_and_the_result_wins(clerk: Clerk) -> None:
    """The job ends once, as canceled, with all of its pictures; a retry only writes the result."""
    clerk.submit("job")
    part = clerk.claim()
    assert clerk.draw(part) == [UnitOutcome.LAST]
    clerk.ledger.control("job", "cancel")
    assert clerk.ledger.finish(part.fence) == "canceled"
    assert clerk.ledger.beat("w1", "w1/1", {}).leases == ()
    clerk.ledger.control("job", "retry")
    again = clerk.claim()
    assert (again.finish, again.units) == (True, ())
    assert clerk.ledger.finish(again.fence) == "succeeded"


def test_a_paused_job_finishes_what_is_in_hand_and_no_more(clerk: Clerk) -> None:
    """Workers are told to give the rest back; it waits until the job is resumed."""
    clerk.submit("job", 6)
    part = clerk.claim(most=3)
    clerk.ledger.start(part.fence, 0)
    assert clerk.ledger.control("job", "pause") is JobState.RUNNING
    assert clerk.ledger.progress(part.fence, 0, 1, 2) is Order.YIELD
    assert clerk.ledger.commit(part.fence, 0, {}) is UnitOutcome.OK
    assert clerk.ledger.start(part.fence, 1) is Order.YIELD
    clerk.ledger.release(part.fence, "w1/1")
    assert clerk.try_claim() is None
    assert clerk.ledger.waiting() == {}
    clerk.ledger.control("job", "resume")
    assert clerk.ledger.waiting() == {LANE: 5}
    clerk.work_off()
    assert clerk.state("job") == "succeeded"


def test_pausing_and_resuming_fifty_times_changes_nothing(clerk: Clerk) -> None:
    """No unit is lost, none is doubled, no attempt is counted."""
    clerk.submit("job", 20)
    for _ in range(50):
        part = clerk.claim(most=1)
        clerk.ledger.start(part.fence, part.units[0])
        clerk.ledger.control("job", "pause")
        clerk.ledger.control("job", "pause")
        clerk.ledger.release(part.fence, "w1/1")
        clerk.ledger.control("job", "resume")
        clerk.audit()
    assert clerk.claim(most=1).attempts == 0


@pytest.mark.parametrize("end", ENDS)
def test_a_retry_renders_exactly_what_is_missing(clerk: Clerk, end: str) -> None:
    """Finished units stay; failed, lost and never begun ones are drawn; the sheet is clean."""
    clerk.submit("job", 9)
    part = clerk.claim(most=5)
    clerk.draw(part, [0, 2])
    clerk.fail(part, 1, retry=False)
    _end(clerk, end)
    kept = clerk.places("job")["done"]
    assert clerk.ledger.control("job", "retry") is JobState.QUEUED
    row = clerk.ledger.get("job")
    assert (row.failed, row.finished, row.expires, row.paused) == (0, None, None, False)
    assert clerk.redis.zscore(clerk.key("old"), "job") is None
    assert clerk.redis.ttl(clerk.key("events", "job")) == -1
    drawn: list[int] = []
    while again := clerk.try_claim():
        assert again.attempts == 0
        drawn += again.units
        if UnitOutcome.LAST in clerk.draw(again) or again.finish:
            clerk.ledger.finish(again.fence)
    assert sorted(drawn) == sorted(set(range(9)) - kept)
    assert clerk.state("job") == "succeeded"


@pytest.mark.parametrize("end", ["canceled", "expired"])
def test_a_lease_of_an_earlier_life_cannot_report(clerk: Clerk, end: str) -> None:
    """Still held when the job is retried: it is lost, told so, and its units are another's."""
    clerk.submit("job", 2)
    old = clerk.claim(most=1)
    _end(clerk, end)
    channel = clerk.ledger.orders("w1/1")
    clerk.ledger.control("job", "retry")
    assert _next(channel) == str(old.fence)
    channel.close()
    assert {lease.order for lease in clerk.ledger.beat("w1", "w1/1", {}).leases} == {Order.LOST}
    clerk.audit()
    new = clerk.claim(worker="w2")
    assert new.units == old.units
    assert clerk.ledger.commit(old.fence, 0, {}) is UnitOutcome.LOST
    assert clerk.ledger.beat("w1", "w1/1", {}).leases == ()
    assert clerk.ledger.get("job").done == 0
    clerk.draw(new)
    clerk.work_off()
    assert clerk.state("job") == "succeeded"


def test_a_deadline_ends_a_waiting_job_and_a_running_one(clerk: Clerk) -> None:
    """Swept away, or met by a claim before any sweep; finished pictures are kept."""
    for job in ("waiting", "running", "met"):
        clerk.submit(job, 3, expires_in_ms=3_600_000)
    part = clerk.claim(most=2)
    assert part.job_id == "waiting"
    clerk.draw(part, [0])
    clerk.pass_deadline("waiting")
    assert clerk.ledger.progress(part.fence, 1, 1, 2) is Order.CANCEL
    clerk.pass_deadline("running")
    clerk.pass_deadline("met", swept=False)
    assert clerk.try_claim() is None
    assert {clerk.state(job) for job in ("waiting", "running", "met")} == {"expired"}
    assert sorted(clerk.ledger.outputs("waiting")) == [0]


def test_a_deadline_is_kept_in_server_time(clerk: Clerk) -> None:
    """Given as a span, stored as a moment, gone once the job is over."""
    clerk.submit("job", expires_in_ms=60_000)
    row = clerk.ledger.get("job")
    assert row.expires is not None
    assert row.expires - row.created == pytest.approx(60)
    clerk.work_off()
    assert clerk.redis.exists(clerk.key("expiries")) == 0


@pytest.mark.parametrize("verb", ["pause", "resume", "retry", "cancel"])
def test_what_makes_no_sense_is_refused_and_changes_nothing(clerk: Clerk, verb: str) -> None:
    """A succeeded job is over; a job that never was is not found."""
    clerk.submit("job")
    clerk.work_off()
    before = clerk.ledger.get("job")
    with pytest.raises(Conflict, match="succeeded"):
        clerk.ledger.control("job", verb)
    with pytest.raises(NotFound):
        clerk.ledger.control("nobody", verb)
    assert clerk.ledger.get("job") == before


def test_a_succeeded_job_leaves_its_row_and_its_events_only(clerk: Clerk) -> None:
    """Whatever happened on the way; and nothing waits, nothing is leased."""
    clerk.submit("job", 5)
    part = clerk.claim()
    clerk.fail(part, 0)
    clerk.lose(part)
    clerk.make_due("job")
    clerk.work_off()
    assert clerk.state("job") == "succeeded"
    names = {str(name).partition(":")[2] for name in clerk.redis.scan_iter(clerk.key("*"))}
    names -= {"fence", "turn", "keep", "open", "swept", "old"} | {
        "held:w1/1",
        "processes:w1",
        "last_request:w1/1",
    }
    assert names == {"job:job", "events:job", "jobs", "jobs:succeeded", f"lease:{part.fence}"}
    assert 0 < clerk.redis.ttl(clerk.key("events", "job")) <= 3600
    assert clerk.redis.ttl(clerk.key("lease", part.fence)) > 0


def test_a_job_is_forgotten_when_it_was_kept_long_enough(clerk: Clerk) -> None:
    """No key of it is left, in no index."""
    clerk.submit("job", 3)
    clerk.claim()
    clerk.ledger.control("job", "cancel")
    old = clerk.redis.zscore(clerk.key("old"), "job")
    assert old is not None
    keep_ms = clerk.farm.limits()["keep_days"] * 86_400_000
    assert old / 1000 - clerk.ledger.get("job").created == pytest.approx(keep_ms / 1000, abs=60)
    clerk.redis.zadd(clerk.key("old"), {"job": 1})
    clerk.sweep()
    with pytest.raises(NotFound):
        clerk.ledger.get("job")
    assert clerk.ledger.jobs() == []
    assert not list(clerk.redis.scan_iter(clerk.key("*job*:job")))


def _end(clerk: Clerk, end: str) -> None:
    if end == "canceled":
        clerk.ledger.control("job", "cancel")
    elif end == "expired":
        clerk.pass_deadline("job")
    else:
        clerk.work_off()
        for fence in clerk.redis.smembers(clerk.key("job_leases", "job")):
            clerk.ledger.release(int(fence), "w1/1")
        clerk.work_off()
    assert clerk.state("job") == end


def _next(channel: Channel) -> str:
    for _ in range(60):
        message = channel.get_message(timeout=1)
        if message:
            return str(message["data"])
    raise AssertionError("nothing came")
