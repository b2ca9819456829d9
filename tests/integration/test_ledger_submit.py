"""Entering jobs: once, within the limit, under any name; and what is told of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from clerk import LANE, Clerk
from conftest import ValkeyServer

from winepress_shared.errors import Conflict, InvalidJob, NotFound, QueueFull
from winepress_shared.jobs.model_options import MAX_PICTURES_PER_CALL
from winepress_shared.ledger.ledger import IDEMPOTENCY_MS
from winepress_shared.ledger.records import BANDS, UnitOutcome
from winepress_shared.state import JobState

#: What a language might take for a number, and what might be taken for a separator.
USERS = ("inf", "nan", "1e5", "100000", "0x10", "16", "5.0", "5", "007", "a.b@c_d-e", "A", "a")


def test_users_whose_names_look_like_numbers_are_kept_apart(clerk: Clerk) -> None:
    """Each has a row, a turn and idempotency keys of their own."""
    for user in USERS:
        clerk.submit(f"job-{user}", user=user, idempotency_key="k", digest=f"d-{user}")
    assert [clerk.ledger.get(f"job-{user}").user for user in USERS] == list(USERS)
    assert clerk.work_off() == [f"job-{user}" for user in USERS]


def test_the_same_idempotency_key_brings_the_same_job(clerk: Clerk) -> None:
    """Ten at once: one job; with another wish under the key: refused; another user: theirs."""
    with ThreadPoolExecutor(10) as pool:
        ids = list(pool.map(lambda n: clerk.submit(f"j{n}", idempotency_key="k"), range(10)))
    assert len(set(ids)) == 1
    assert [row.id for row in clerk.ledger.jobs()] == [ids[0]]
    with pytest.raises(Conflict, match=ids[0]):
        clerk.submit("other", idempotency_key="k", digest="d2")
    assert clerk.submit("bobs", idempotency_key="k", digest="d2", user="bob") == "bobs"
    assert clerk.ledger.waiting() == {LANE: 2}


def test_an_idempotency_key_lasts_a_day_and_no_longer_than_its_job(clerk: Clerk) -> None:
    """A key that points to a forgotten job would be an answer nobody can use."""
    clerk.submit("first", idempotency_key="k")
    assert 0 < clerk.redis.pttl(clerk.key("idem", "ada", "k")) <= IDEMPOTENCY_MS
    clerk.work_off()
    clerk.redis.zadd(clerk.key("old"), {"first": 1})
    clerk.sweep()
    assert clerk.submit("second", idempotency_key="k") == "second"


def test_a_job_sent_twice_under_its_id_is_entered_once(clerk: Clerk) -> None:
    """A client whose answer was lost sends it again."""
    clerk.submit("job", 3)
    clerk.draw(clerk.claim(most=1))
    before = clerk.ledger.get("job")
    clerk.submit("job", 3)
    assert clerk.ledger.get("job") == before
    assert clerk.ledger.waiting() == {LANE: 2}


def test_the_farm_takes_no_more_units_than_its_limit(valkey_server: ValkeyServer) -> None:
    """Exactly the limit fits; one more is refused with both numbers; room is made by drawing."""
    clerk = Clerk(valkey_server.url, queue_limit=10)
    clerk.submit("nine", 9)
    with pytest.raises(QueueFull, match=r"got 9.*10 units waiting"):
        clerk.submit("two", 2, idempotency_key="k")
    with pytest.raises(NotFound):
        clerk.ledger.get("two")
    clerk.submit("one", 1)
    clerk.draw(clerk.claim(most=2))
    assert clerk.submit("two", 2, idempotency_key="k") == "two"
    clerk.audit()
    clerk.close()


def test_a_new_row_says_everything(clerk: Clerk) -> None:
    """What was asked for, and that nothing has happened."""
    clerk.submit("job", 3, user="bob", band=2, kind="inpaint")
    row = clerk.ledger.get("job")
    assert (row.id, row.kind, row.lane, row.user) == ("job", "inpaint", LANE, "bob")
    assert (row.state, row.priority, row.units) == (JobState.QUEUED, BANDS[2], 3)
    assert (row.done, row.failed, row.paused, row.reason) == (0, 0, False, "")
    assert (row.started, row.finished, row.expires) == (None, None, None)
    seconds, _ = clerk.redis.time()
    assert row.created == pytest.approx(seconds, abs=5)


def test_jobs_are_listed_by_state_newest_first(clerk: Clerk) -> None:
    """The whole list, one state of it, and no more than asked for."""
    for number in range(4):
        clerk.submit(f"j{number}")
    clerk.ledger.control("j1", "cancel")
    assert [row.id for row in clerk.ledger.jobs()] == ["j3", "j2", "j1", "j0"]
    assert [row.id for row in clerk.ledger.jobs(JobState.CANCELED)] == ["j1"]
    assert [row.id for row in clerk.ledger.jobs(JobState.QUEUED, 2)] == ["j3", "j2"]
    assert [row.id for row in clerk.ledger.jobs(limit=0)] == ["j3"]


def test_a_job_brought_back_lacks_only_what_is_not_done(clerk: Clerk) -> None:
    """After the ledger was lost: finished units are counted, the others are drawn."""
    clerk.ledger.keep_units("job", {1: {"key": "b"}, 3: {"key": "d"}})
    clerk.submit("job", 5)
    assert clerk.ledger.get("job").done == 2
    assert clerk.ledger.waiting() == {LANE: 3}
    assert clerk.claim(most=3).units == (0, 2)
    assert clerk.ledger.outputs("job") == {1: {"key": "b"}, 3: {"key": "d"}}


def test_a_chain_brought_back_goes_on_where_it_was(clerk: Clerk) -> None:
    """Units that exist are not drawn again, the next one is first."""
    clerk.ledger.keep_units("zoom", {0: {}, 1: {}})
    clerk.submit("zoom", 4, chained=True)
    clerk.draw(part := clerk.claim())
    assert part.units == (2,)
    assert clerk.draw(clerk.claim()) == [UnitOutcome.LAST]


def test_units_are_not_brought_back_into_a_job_that_is_known(clerk: Clerk) -> None:
    """Two recoveries at once: the later one must not touch what is being counted."""
    clerk.submit("job", 2)
    clerk.ledger.keep_units("job", {0: {"key": "a"}, 1: {"key": "b"}})
    assert clerk.ledger.outputs("job") == {}
    clerk.work_off()
    assert clerk.state("job") == "succeeded"


def test_outputs_are_told_in_numeric_order(clerk: Clerk) -> None:
    """Unit 10 after unit 9."""
    clerk.submit("job", 24)
    clerk.draw(clerk.claim(most=11))
    assert list(clerk.ledger.outputs("job")) == list(range(11))


def test_events_tell_the_life_of_a_job_in_order(clerk: Clerk) -> None:
    """From queued to its end, each with its time; reading goes on from any of them."""
    clerk.submit("job", 2)
    assert clerk.ledger.events("job", block_ms=1) == []
    clerk.draw(part := clerk.claim(most=1))
    clerk.ledger.progress(part.fence, 0, 1, 2)
    clerk.ledger.note("job", "loading")
    clerk.fail(clerk.claim(), 1)
    clerk.ledger.control("job", "pause")
    clerk.ledger.control("job", "resume")
    clerk.ledger.control("job", "cancel", "enough")
    clerk.ledger.note("job", "too late")
    events = clerk.ledger.events("job")
    names = ["queued", "running", "unit-started", "unit-done", "note", "unit-retry"]
    assert [event.name for event in events] == [*names, "paused", "resumed", "canceled"]
    assert events[0].at == clerk.ledger.get("job").created
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert events[-1].fields == {"reason": "enough"}
    assert events[3].fields == {"unit": "0", "done": "1", "units": "2"}
    assert clerk.ledger.events("job", events[4].id) == events[5:]


def test_events_are_capped_and_the_newest_are_kept(clerk: Clerk) -> None:
    """A job of many steps costs no more than one of few."""
    clerk.submit("job")
    part = clerk.claim()
    for step in range(1000):
        clerk.ledger.progress(part.fence, 0, step, 1000)
    events = clerk.ledger.events("job")
    assert 256 <= len(events) <= 400
    assert [int(event.fields["step"]) for event in events] == list(range(1000 - len(events), 1000))


@pytest.mark.parametrize("together", [10**9, -1, "many"])
def test_a_call_of_more_pictures_than_any_model_draws_is_not_entered(
    clerk: Clerk, together: object
) -> None:
    """Slices are multiples of it: one of a whole job would be kept by a single worker."""
    row = ("kind", "batch", "lane", LANE, "user", "ada", "band", 1, "units", 9, "chained", 0)
    with pytest.raises(InvalidJob, match="ledger refuses"):
        clerk.ledger._run("submit", "job", "", "d", 1, 0, 0, *row, "together", str(together))
    assert clerk.ledger.jobs() == []
    clerk.submit("job", 9, together=MAX_PICTURES_PER_CALL)


@pytest.mark.parametrize("after", ["", "$", "x", "1-2-3", "-1", "1 2", "9" * 30])
def test_only_the_id_of_an_event_says_where_to_read_on(clerk: Clerk, after: str) -> None:
    """It may come from outside; anything else is refused with a sentence."""
    with pytest.raises(InvalidJob, match="after"):
        clerk.ledger.events("job", after)


def test_a_job_that_waits_is_one_small_row(clerk: Clerk) -> None:
    """A million waiting jobs must fit; so it has no stream before anything happens to it."""
    clerk.submit("job", 1000)
    names = [str(name).partition(":")[2] for name in clerk.redis.scan_iter(clerk.key("*job"))]
    assert names == ["job:job"]
    size = clerk.redis.memory_usage(clerk.key("job", "job"))
    assert size is not None
    assert size < 600
