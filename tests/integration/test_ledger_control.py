"""What users do to a job: cancel, pause, resume, retry; deadlines; what is remembered."""

from __future__ import annotations

import pytest
from support.audited_farm import LANE, AuditedFarm

from winepress_shared.errors import Conflict, NotFound
from winepress_shared.ledger.channel import Channel
from winepress_shared.ledger.ledger import holder_of
from winepress_shared.ledger.records import Directive, UnitOutcome
from winepress_shared.state import JobState

ENDS = ("canceled", "failed", "expired")


def test_a_canceled_job_is_never_handed_out_again(farm: AuditedFarm) -> None:
    """Nothing waits of it; canceling it twice is no mistake."""
    farm.submit("job", 5)
    farm.ledger.control("job", "pause")
    for _ in range(2):
        assert farm.ledger.control("job", "cancel", "no longer needed") is JobState.CANCELED
    assert farm.try_claim() is None
    row = farm.ledger.get("job")
    assert (row.reason, row.paused) == ("no longer needed", False)


def test_a_cancel_reaches_whoever_draws_the_job_at_once(farm: AuditedFarm) -> None:
    """Its fence comes down the channel of its renderer; beat, step and commit say the same."""
    farm.submit("job", 6)
    farm.submit("other", 2, lane="vignette.int8")
    mine = farm.claim(most=2)
    channel = farm.ledger.directives(holder_of("w1", 1))
    bystander = farm.ledger.directives(holder_of("w2", 1))
    farm.claim(worker="w2", lane="vignette.int8")
    farm.ledger.control("job", "cancel")
    message = _next(channel)
    assert message == str(mine.fence)
    assert bystander.get_message(timeout=0.05) is None
    assert farm.ledger.progress(mine.fence, 0, 1, 2) is Directive.CANCEL
    assert farm.ledger.start(mine.fence, 1) is Directive.CANCEL
    (lease,) = farm.ledger.beat("w1", "w1/1", {}).leases
    assert lease.directive is Directive.CANCEL
    assert farm.ledger.events("job")[-1].name == "canceled"
    channel.close()
    bystander.close()


def test_a_picture_that_comes_after_the_cancel_is_not_counted(farm: AuditedFarm) -> None:
    """Never both; and a renderer that has reported all its units holds nothing any more."""
    farm.submit("job", 4)
    slice_ = farm.claim(most=2)
    farm.ledger.control("job", "cancel")
    assert farm.draw(slice_) == [UnitOutcome.CANCEL, UnitOutcome.CANCEL]
    assert farm.ledger.get("job").done == 0
    assert farm.ledger.beat("w1", "w1/1", {}).leases == ()


def test_a_cancel_between_the_last_picture_and_the_result_wins(farm: AuditedFarm) -> None:
    """The job ends once, as canceled, with all of its pictures; a retry only writes the result."""
    farm.submit("job")
    slice_ = farm.claim()
    assert farm.draw(slice_) == [UnitOutcome.LAST]
    farm.ledger.control("job", "cancel")
    assert farm.ledger.finish(slice_.fence) == "canceled"
    assert farm.ledger.beat("w1", "w1/1", {}).leases == ()
    farm.ledger.control("job", "retry")
    again = farm.claim()
    assert (again.finish, again.units) == (True, ())
    assert farm.ledger.finish(again.fence) == "succeeded"


def test_a_paused_job_finishes_what_is_in_hand_and_no_more(farm: AuditedFarm) -> None:
    """Workers are told to give the rest back; it waits until the job is resumed."""
    farm.submit("job", 6)
    slice_ = farm.claim(most=3)
    farm.ledger.start(slice_.fence, 0)
    assert farm.ledger.control("job", "pause") is JobState.RUNNING
    assert farm.ledger.progress(slice_.fence, 0, 1, 2) is Directive.YIELD
    assert farm.ledger.commit(slice_.fence, 0, {}) is UnitOutcome.OK
    assert farm.ledger.start(slice_.fence, 1) is Directive.YIELD
    farm.ledger.release(slice_.fence, "w1/1")
    assert farm.try_claim() is None
    assert farm.ledger.waiting() == {}
    farm.ledger.control("job", "resume")
    assert farm.ledger.waiting() == {LANE: 5}
    farm.work_off()
    assert farm.state("job") == "succeeded"


def test_pausing_and_resuming_fifty_times_changes_nothing(farm: AuditedFarm) -> None:
    """No unit is lost, none is doubled, no attempt is counted."""
    farm.submit("job", 20)
    for _ in range(50):
        slice_ = farm.claim(most=1)
        farm.ledger.start(slice_.fence, slice_.units[0])
        farm.ledger.control("job", "pause")
        farm.ledger.control("job", "pause")
        farm.ledger.release(slice_.fence, "w1/1")
        farm.ledger.control("job", "resume")
        farm.audit()
    assert farm.claim(most=1).attempts == 0


@pytest.mark.parametrize("end", ENDS)
def test_a_retry_renders_exactly_what_is_missing(farm: AuditedFarm, end: str) -> None:
    """Finished units stay; failed, lost and never begun ones are drawn; the sheet is clean."""
    farm.submit("job", 9)
    slice_ = farm.claim(most=5)
    farm.draw(slice_, [0, 2])
    farm.fail(slice_, 1, retry=False)
    _end(farm, end)
    kept = farm.places("job")["done"]
    assert farm.ledger.control("job", "retry") is JobState.QUEUED
    row = farm.ledger.get("job")
    assert (row.failed, row.finished, row.expires, row.paused) == (0, None, None, False)
    assert farm.redis.zscore(farm.key("old"), "job") is None
    assert farm.redis.ttl(farm.key("events", "job")) == -1
    drawn: list[int] = []
    while again := farm.try_claim():
        assert again.attempts == 0
        drawn += again.units
        if UnitOutcome.LAST in farm.draw(again) or again.finish:
            farm.ledger.finish(again.fence)
    assert sorted(drawn) == sorted(set(range(9)) - kept)
    assert farm.state("job") == "succeeded"


@pytest.mark.parametrize("end", ["canceled", "expired"])
def test_a_lease_of_an_earlier_life_cannot_report(farm: AuditedFarm, end: str) -> None:
    """Still held when the job is retried: it is lost, told so, and its units are another's."""
    farm.submit("job", 2)
    old = farm.claim(most=1)
    _end(farm, end)
    channel = farm.ledger.directives("w1/1")
    farm.ledger.control("job", "retry")
    assert _next(channel) == str(old.fence)
    channel.close()
    assert {lease.directive for lease in farm.ledger.beat("w1", "w1/1", {}).leases} == {
        Directive.LOST
    }
    farm.audit()
    new = farm.claim(worker="w2")
    assert new.units == old.units
    assert farm.ledger.commit(old.fence, 0, {}) is UnitOutcome.LOST
    assert farm.ledger.beat("w1", "w1/1", {}).leases == ()
    assert farm.ledger.get("job").done == 0
    farm.draw(new)
    farm.work_off()
    assert farm.state("job") == "succeeded"


def test_a_deadline_ends_a_waiting_job_and_a_running_one(farm: AuditedFarm) -> None:
    """Swept away, or met by a claim before any sweep; finished pictures are kept."""
    for job in ("waiting", "running", "met"):
        farm.submit(job, 3, expires_in_ms=3_600_000)
    slice_ = farm.claim(most=2)
    assert slice_.job_id == "waiting"
    farm.draw(slice_, [0])
    farm.pass_deadline("waiting")
    assert farm.ledger.progress(slice_.fence, 1, 1, 2) is Directive.CANCEL
    farm.pass_deadline("running")
    farm.pass_deadline("met", swept=False)
    assert farm.try_claim() is None
    assert {farm.state(job) for job in ("waiting", "running", "met")} == {"expired"}
    assert sorted(farm.ledger.outputs("waiting")) == [0]


def test_a_deadline_is_kept_in_server_time(farm: AuditedFarm) -> None:
    """Given as a span, stored as a moment, gone once the job is over."""
    farm.submit("job", expires_in_ms=60_000)
    row = farm.ledger.get("job")
    assert row.expires is not None
    assert row.expires - row.created == pytest.approx(60)
    farm.work_off()
    assert farm.redis.exists(farm.key("expiries")) == 0


@pytest.mark.parametrize("verb", ["pause", "resume", "retry", "cancel"])
def test_what_makes_no_sense_is_refused_and_changes_nothing(farm: AuditedFarm, verb: str) -> None:
    """A succeeded job is over; a job that never was is not found."""
    farm.submit("job")
    farm.work_off()
    before = farm.ledger.get("job")
    with pytest.raises(Conflict, match="succeeded"):
        farm.ledger.control("job", verb)
    with pytest.raises(NotFound):
        farm.ledger.control("nobody", verb)
    assert farm.ledger.get("job") == before


def test_a_succeeded_job_leaves_its_row_and_its_events_only(farm: AuditedFarm) -> None:
    """Whatever happened on the way; and nothing waits, nothing is leased."""
    farm.submit("job", 5)
    slice_ = farm.claim()
    farm.fail(slice_, 0)
    farm.lose(slice_)
    farm.make_due("job")
    farm.work_off()
    assert farm.state("job") == "succeeded"
    names = {str(name).partition(":")[2] for name in farm.redis.scan_iter(farm.key("*"))}
    of_farm = {"fence", "turn", "keep", "open", "swept", "old", "job_counts", "work_counts"}
    of_worker = {"held:w1/1", "processes:w1", "heard:w1/1", "drew:w1"}
    names -= of_farm | of_worker | {"counted_pictures"}
    assert names == {"job:job", "events:job", "jobs", "jobs:succeeded"}
    assert 0 < farm.redis.ttl(farm.key("events", "job")) <= 3600


def test_a_job_is_forgotten_when_it_was_kept_long_enough(farm: AuditedFarm) -> None:
    """No key of it is left, in no index."""
    farm.submit("job", 3)
    farm.claim()
    farm.ledger.control("job", "cancel")
    old = farm.redis.zscore(farm.key("old"), "job")
    assert old is not None
    keep_ms = farm.limits.limits()["keep_days"] * 86_400_000
    assert old / 1000 - farm.ledger.get("job").created == pytest.approx(keep_ms / 1000, abs=60)
    farm.redis.zadd(farm.key("old"), {"job": 1})
    farm.sweep()
    with pytest.raises(NotFound):
        farm.ledger.get("job")
    assert farm.ledger.jobs() == []
    indices = ("jobs", "jobs:canceled", "old", "due", "expiries")
    assert [farm.redis.zscore(farm.key(index), "job") for index in indices] == [None] * 5
    assert not list(farm.redis.scan_iter(farm.key("*job*:job")))


def _end(farm: AuditedFarm, end: str) -> None:
    if end == "canceled":
        farm.ledger.control("job", "cancel")
    elif end == "expired":
        farm.pass_deadline("job")
    else:
        farm.work_off()
        for fence in farm.redis.smembers(farm.key("job_leases", "job")):
            farm.ledger.release(int(fence), "w1/1")
        farm.work_off()
    assert farm.state("job") == end


def _next(channel: Channel) -> str:
    for _ in range(60):
        message = channel.get_message(timeout=1)
        if message:
            return str(message["data"])
    raise AssertionError("nothing came")
