"""Entering jobs: once, within the limit, under any name; and what is told of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.audited_farm import LANE, AuditedFarm
from support.servers import ValkeyServer

from winepress_shared.errors import Conflict, InvalidJob, NotFound, QueueFull
from winepress_shared.jobs.model_options import MAX_PICTURES_PER_CALL
from winepress_shared.ledger.records import PRIORITIES, UnitOutcome
from winepress_shared.ledger.submissions import IDEMPOTENCY_MS
from winepress_shared.state import JobState

#: What a language might take for a number, and what might be taken for a separator.
USERS = ("inf", "nan", "1e5", "100000", "0x10", "16", "5.0", "5", "007", "a.b@c_d-e", "A", "a")


def test_users_whose_names_look_like_numbers_are_kept_apart(farm: AuditedFarm) -> None:
    """Each has a row, a turn and idempotency keys of their own."""
    for user in USERS:
        farm.submit(f"job-{user}", user=user, idempotency_key="k", digest=f"d-{user}")
    assert [farm.ledger.get(f"job-{user}").user for user in USERS] == list(USERS)
    assert farm.work_off() == [f"job-{user}" for user in USERS]


def test_the_same_idempotency_key_brings_the_same_job(farm: AuditedFarm) -> None:
    """Ten at once: one job; with another wish under the key: refused; another user: theirs."""
    with ThreadPoolExecutor(10) as pool:
        ids = list(pool.map(lambda n: farm.submit(f"j{n}", idempotency_key="k"), range(10)))
    assert len(set(ids)) == 1
    assert [row.id for row in farm.ledger.jobs()] == [ids[0]]
    with pytest.raises(Conflict, match=ids[0]):
        farm.submit("other", idempotency_key="k", digest="d2")
    assert farm.submit("bobs", idempotency_key="k", digest="d2", user="bob") == "bobs"
    assert farm.ledger.waiting() == {LANE: 2}


def test_an_idempotency_key_lasts_a_day_and_no_longer_than_its_job(farm: AuditedFarm) -> None:
    """A key that points to a forgotten job would be an answer nobody can use."""
    farm.submit("first", idempotency_key="k")
    assert 0 < farm.redis.pttl(farm.key("idem", "ada", "k")) <= IDEMPOTENCY_MS
    farm.work_off()
    farm.redis.zadd(farm.key("old"), {"first": 1})
    farm.sweep()
    assert farm.submit("second", idempotency_key="k") == "second"


def test_a_job_sent_twice_under_its_id_is_entered_once(farm: AuditedFarm) -> None:
    """A client whose answer was lost sends it again."""
    farm.submit("job", 3)
    farm.draw(farm.claim(most=1))
    before = farm.ledger.get("job")
    farm.submit("job", 3)
    assert farm.ledger.get("job") == before
    assert farm.ledger.waiting() == {LANE: 2}


def test_the_farm_takes_no_more_units_than_its_limit(valkey_server: ValkeyServer) -> None:
    """Exactly the limit fits; one more is refused with both numbers; room is made by drawing."""
    farm = AuditedFarm(valkey_server.url, queue_limit=10)
    farm.submit("nine", 9)
    with pytest.raises(QueueFull, match=r"got 9.*10 units waiting"):
        farm.submit("two", 2, idempotency_key="k")
    with pytest.raises(NotFound):
        farm.ledger.get("two")
    farm.submit("one", 1)
    farm.draw(farm.claim(most=2))
    assert farm.submit("two", 2, idempotency_key="k") == "two"
    farm.audit()
    farm.close()


def test_a_new_row_says_everything(farm: AuditedFarm) -> None:
    """What was asked for, and that nothing has happened."""
    farm.submit("job", 3, user="bob", priority=2, kind="inpaint")
    row = farm.ledger.get("job")
    assert (row.id, row.kind, row.lane, row.user) == ("job", "inpaint", LANE, "bob")
    assert (row.state, row.priority, row.units) == (JobState.QUEUED, PRIORITIES[2], 3)
    assert (row.done, row.failed, row.paused, row.reason) == (0, 0, False, "")
    assert (row.started, row.finished, row.expires) == (None, None, None)
    seconds, _ = farm.redis.time()
    assert row.created == pytest.approx(seconds, abs=5)


def test_jobs_are_listed_by_state_newest_first(farm: AuditedFarm) -> None:
    """The whole list, one state of it, and no more than asked for."""
    for number in range(4):
        farm.submit(f"j{number}")
    farm.ledger.control("j1", "cancel")
    assert [row.id for row in farm.ledger.jobs()] == ["j3", "j2", "j1", "j0"]
    assert [row.id for row in farm.ledger.jobs(JobState.CANCELED)] == ["j1"]
    assert [row.id for row in farm.ledger.jobs(JobState.QUEUED, 2)] == ["j3", "j2"]
    assert [row.id for row in farm.ledger.jobs(limit=0)] == ["j3"]


def test_a_job_brought_back_lacks_only_what_is_not_done(farm: AuditedFarm) -> None:
    """After the ledger was lost: finished units are counted, the others are drawn."""
    farm.ledger.keep_units("job", {1: {"key": "b"}, 3: {"key": "d"}})
    farm.submit("job", 5)
    assert farm.ledger.get("job").done == 2
    assert farm.ledger.waiting() == {LANE: 3}
    assert farm.claim(most=3).units == (0, 2)
    assert farm.ledger.outputs("job") == {1: {"key": "b"}, 3: {"key": "d"}}


def test_a_job_brought_back_lacks_what_an_earlier_attempt_found(farm: AuditedFarm) -> None:
    """There was no room for it then, and the store has lost a picture since."""
    farm.ledger.keep_units("job", {0: {"key": "a"}, 1: {"key": "b"}})
    farm.ledger.keep_units("job", {1: {"key": "b"}})
    farm.submit("job", 3)
    assert (farm.ledger.get("job").done, farm.ledger.outputs("job")) == (1, {1: {"key": "b"}})
    assert farm.claim(most=2).units == (0,)


def test_a_chain_brought_back_goes_on_where_it_was(farm: AuditedFarm) -> None:
    """Units that exist are not drawn again, the next one is first."""
    farm.ledger.keep_units("zoom", {0: {}, 1: {}})
    farm.submit("zoom", 4, chained=True)
    farm.draw(slice_ := farm.claim())
    assert slice_.units == (2,)
    assert farm.draw(farm.claim()) == [UnitOutcome.LAST]


def test_units_are_not_brought_back_into_a_job_that_is_known(farm: AuditedFarm) -> None:
    """Two recoveries at once: the later one must not touch what is being counted."""
    farm.submit("job", 2)
    farm.ledger.keep_units("job", {0: {"key": "a"}, 1: {"key": "b"}})
    assert farm.ledger.outputs("job") == {}
    farm.work_off()
    assert farm.state("job") == "succeeded"


def test_outputs_are_told_in_numeric_order(farm: AuditedFarm) -> None:
    """Unit 10 after unit 9."""
    farm.submit("job", 24)
    farm.draw(farm.claim(most=11))
    assert list(farm.ledger.outputs("job")) == list(range(11))


def test_events_tell_the_life_of_a_job_in_order(farm: AuditedFarm) -> None:
    """From queued to its end, each with its time; reading goes on from any of them."""
    farm.submit("job", 2)
    assert farm.ledger.events("job", block_ms=1) == []
    farm.draw(slice_ := farm.claim(most=1))
    farm.ledger.progress(slice_.fence, 0, 1, 2)
    farm.ledger.note("job", "loading")
    farm.fail(farm.claim(), 1)
    farm.ledger.control("job", "pause")
    farm.ledger.control("job", "resume")
    farm.ledger.control("job", "cancel", "enough")
    farm.ledger.note("job", "too late")
    events = farm.ledger.events("job")
    names = ["queued", "running", "unit-started", "unit-done", "note", "unit-retry"]
    assert [event.name for event in events] == [*names, "paused", "resumed", "canceled"]
    assert events[0].at == farm.ledger.get("job").created
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert events[-1].fields == {"reason": "enough"}
    assert events[3].fields == {"unit": "0", "done": "1", "units": "2"}
    assert farm.ledger.events("job", events[4].id) == events[5:]


def test_events_are_capped_and_the_newest_are_kept(farm: AuditedFarm) -> None:
    """A job of many steps costs no more than one of few."""
    farm.submit("job")
    slice_ = farm.claim()
    for step in range(1000):
        farm.ledger.progress(slice_.fence, 0, step, 1000)
    events = farm.ledger.events("job")
    assert 256 <= len(events) <= 400
    assert [int(event.fields["step"]) for event in events] == list(range(1000 - len(events), 1000))


@pytest.mark.parametrize("together", [10**9, -1, "many"])
def test_a_call_of_more_pictures_than_any_model_draws_is_not_entered(
    farm: AuditedFarm, together: object
) -> None:
    """Slices are multiples of it: one of a whole job would be kept by a single worker."""
    row = ("kind", "batch", "lane", LANE, "user", "ada", "priority", 1, "units", 9, "chained", 0)
    start = ("submit", "job", "", "d", 1, 0, 0, "queue:", "enter")
    with pytest.raises(InvalidJob, match="ledger refuses"):
        farm.ledger._run(*start, *row, "together", str(together))
    assert farm.ledger.jobs() == []
    farm.submit("job", 9, together=MAX_PICTURES_PER_CALL)


@pytest.mark.parametrize("after", ["", "$", "x", "1-2-3", "-1", "1 2", "9" * 30])
def test_only_the_id_of_an_event_says_where_to_read_on(farm: AuditedFarm, after: str) -> None:
    """It may come from outside; anything else is refused with a sentence."""
    with pytest.raises(InvalidJob, match="after"):
        farm.ledger.events("job", after)


def test_a_job_that_waits_is_one_small_row(farm: AuditedFarm) -> None:
    """A million waiting jobs must fit; so it has no stream before anything happens to it."""
    farm.submit("job", 1000)
    names = [str(name).partition(":")[2] for name in farm.redis.scan_iter(farm.key("*job"))]
    assert names == ["job:job"]
    size = farm.redis.memory_usage(farm.key("job", "job"))
    assert size is not None
    assert size < 600
