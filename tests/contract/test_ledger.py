"""What the ledger in memory does, it does as the one on a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from winepress_shared.errors import (
    BadOutput,
    Conflict,
    FailForGood,
    NotFound,
    QueueFull,
    RetryElsewhere,
)
from winepress_shared.jobs.job import Priority
from winepress_shared.ledger.in_memory import InMemoryLedger
from winepress_shared.ledger.ledger import MAX_ATTEMPTS, Ledger
from winepress_shared.ledger.no_server import NotInMemory
from winepress_shared.ledger.records import Directive, Slice, UnitOutcome
from winepress_shared.ledger.submissions import Submission
from winepress_shared.state import JobState
from winepress_shared.window import Window

LANE = "vignette.fp16"
HOLDER = "w1/1"


def new(
    job_id: str, units: int = 1, *, priority: int = 1, digest: str = "d", key: str = ""
) -> Submission:
    return Submission(
        job_id, "text-to-image", LANE, "ada", priority, units, digest, idempotency_key=key
    )


def claim(ledger: Ledger, most: int = 1000, *, begin: bool = False) -> Slice:
    slice_ = ledger.claim(LANE, "w1", HOLDER, most, begin=begin)
    assert slice_, "nothing was handed out"
    return slice_


def draw(ledger: Ledger, slice_: Slice) -> list[UnitOutcome]:
    """Begin and commit every unit."""
    for unit in slice_.units:
        assert ledger.start(slice_.fence, unit) is Directive.OK
    return [ledger.commit(slice_.fence, unit, {"key": str(unit)}) for unit in slice_.units]


def work_off(ledger: Ledger) -> None:
    while slice_ := ledger.claim(LANE, "w1", HOLDER, 1000):
        if slice_.finish or UnitOutcome.LAST in draw(ledger, slice_):
            ledger.finish(slice_.fence, "some failed")


def test_a_new_job_waits_and_its_row_says_what_was_asked_for(ledger: Ledger) -> None:
    """And nothing else."""
    assert ledger.submit(new("j1", 3))[:2] == ("j1", True)
    assert ledger.submit(new("j1", 3))[:2] == ("j1", False)
    row = ledger.get("j1")
    assert (row.state, row.lane, row.user, row.priority) == ("queued", LANE, "ada", Priority.NORMAL)
    assert (row.units, row.done, row.failed, row.paused, row.reason) == (3, 0, 0, False, "")
    assert (row.started, row.finished, row.expires, row.starts, row.window) == (None,) * 5
    assert ledger.outputs("j1") == {}
    with pytest.raises(NotFound):
        ledger.get("j2")


def test_an_idempotency_key_brings_its_job(ledger: Ledger) -> None:
    """Another job under the same key is refused."""
    ledger.submit(new("j1", key="k"))
    assert ledger.submit(new("j2", key="k")) == ("j1", False, 1)
    with pytest.raises(Conflict):
        ledger.submit(new("j3", digest="other", key="k"))


def test_no_more_units_are_taken_than_there_is_room_for(ledger: Ledger) -> None:
    """Those that have ended take none."""
    ledger.submit(new("j1", 60))
    with pytest.raises(QueueFull, match=r"got 60.*100 units"):
        ledger.submit(new("j2", 60))
    draw(ledger, claim(ledger, 20))
    assert ledger.submit(new("j2", 60))[:2] == ("j2", True)


def test_jobs_are_listed_newest_first(ledger: Ledger) -> None:
    """All of them, or those of one state."""
    for job_id in ("j1", "j2", "j3"):
        ledger.submit(new(job_id))
    ledger.control("j2", "cancel")
    assert [row.id for row in ledger.jobs()] == ["j3", "j2", "j1"]
    assert [row.id for row in ledger.jobs(JobState.QUEUED, limit=1)] == ["j3"]
    assert [row.id for row in ledger.jobs(JobState.CANCELED)] == ["j2"]


def test_a_job_is_drawn_in_slices_and_ends_with_its_result(ledger: Ledger) -> None:
    """The higher priority first; who commits the last unit writes the result."""
    ledger.submit(new("slow", 1, priority=2))
    ledger.submit(new("j1", 3))
    slice_ = claim(ledger, 1, begin=True)
    assert (slice_.job_id, slice_.units, slice_.begun, slice_.attempts) == ("j1", (0,), True, 0)
    assert ledger.get("j1").state is JobState.RUNNING
    assert ledger.start(slice_.fence, 0) is Directive.OK
    assert ledger.commit(slice_.fence, 0, {"key": "0"}) is UnitOutcome.OK
    rest = [claim(ledger, 1), claim(ledger, 1)]
    assert [one.units for one in rest] == [(1,), (2,)]
    assert draw(ledger, rest[0]) == [UnitOutcome.OK]
    assert draw(ledger, rest[1]) == [UnitOutcome.LAST]
    assert ledger.outputs("j1") == {unit: {"key": str(unit)} for unit in range(3)}
    assert ledger.finish(rest[1].fence) == "succeeded"
    assert ledger.outputs("j1") == {}
    assert claim(ledger).job_id == "slow"
    assert ledger.claim(LANE, "w1", HOLDER, 1000) is None


def test_a_report_of_a_slice_that_is_over_changes_nothing(ledger: Ledger) -> None:
    """Its holder is told that it is lost; a unit that is counted is counted once."""
    ledger.submit(new("j1", 2))
    slice_ = claim(ledger, 1)
    assert ledger.start(slice_.fence, 1) is Directive.LOST
    ledger.release(slice_.fence, HOLDER)
    assert ledger.start(slice_.fence, 0) is Directive.LOST
    assert ledger.progress(slice_.fence, 0, 1, 2) is Directive.LOST
    assert ledger.commit(slice_.fence, 0, {}) is UnitOutcome.LOST
    assert ledger.fail(slice_.fence, 0, FailForGood("no"), retry=False) is UnitOutcome.LOST
    assert ledger.finish(slice_.fence) == "lost"
    row = ledger.get("j1")
    assert (row.state, row.done, row.failed) == ("queued", 0, 0)


def test_a_released_slice_counts_no_attempt(ledger: Ledger) -> None:
    """Its units are handed out again, in their order and together."""
    ledger.submit(new("j1", 2))
    slice_ = ledger.claim(LANE, "w1", HOLDER, 2, begin=True)
    assert slice_
    ledger.release(slice_.fence, HOLDER)
    again = claim(ledger, 2)
    assert (again.units, again.attempts) == (slice_.units, 0)


def test_a_unit_that_fails_for_good_fails_its_job_and_no_other_unit(ledger: Ledger) -> None:
    """The error stands where its output would."""
    ledger.submit(new("j1", 2))
    slice_ = claim(ledger, 1)
    ledger.start(slice_.fence, 0)
    outcome = ledger.fail(slice_.fence, 0, FailForGood("a bad picture"), retry=False)
    assert outcome is UnitOutcome.FAILED
    work_off(ledger)
    row = ledger.get("j1")
    assert (row.state, row.done, row.failed, row.reason) == ("failed", 1, 1, "some failed")
    assert ledger.outputs("j1")[0] == {"error": "FailForGood", "message": "a bad picture"}


def test_a_unit_that_failed_may_be_tried_again(ledger: Ledger) -> None:
    """Reported without a start too, as of a slice that cannot be prepared."""
    ledger.submit(new("j1"))
    slice_ = claim(ledger)
    assert ledger.fail(slice_.fence, 0, RetryElsewhere("x"), retry=True) is UnitOutcome.RETRY
    assert ledger.commit(slice_.fence, 0, {}) is UnitOutcome.LOST


def test_a_unit_in_memory_is_tried_again_at_once_and_as_often_as_on_a_server() -> None:
    """Alone each time, for it may be what breaks its worker."""
    ledger = InMemoryLedger()
    ledger.submit(new("j1", 2))
    outcomes, error = [], RetryElsewhere("x")
    for attempt in range(MAX_ATTEMPTS):
        slice_ = claim(ledger, 1)
        assert (slice_.units, slice_.attempts) == ((0,), attempt)
        ledger.start(slice_.fence, 0)
        outcomes.append(ledger.fail(slice_.fence, 0, error, retry=True))
    assert outcomes == [UnitOutcome.RETRY] * (MAX_ATTEMPTS - 1) + [UnitOutcome.FAILED]
    assert claim(ledger, 1).units == (1,)


def test_what_is_no_picture_is_drawn_once_more_in_memory_too() -> None:
    """As on a server, where it waits a second for that."""
    ledger = InMemoryLedger()
    ledger.submit(new("j1", 2))
    outcomes = []
    for _ in range(2):
        slice_ = claim(ledger, 1)
        ledger.start(slice_.fence, 0)
        outcomes.append(ledger.fail(slice_.fence, 0, BadOutput("all one colour"), retry=True))
    assert outcomes == [UnitOutcome.RETRY, UnitOutcome.FAILED]


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_what_is_over_is_not_controlled(ledger: Ledger, verb: str) -> None:
    """Only a retry opens it again, and not after a success."""
    ledger.submit(new("j1"))
    work_off(ledger)
    for one in (verb, "retry"):
        with pytest.raises(Conflict):
            ledger.control("j1", one)
    with pytest.raises(NotFound):
        ledger.control("j2", verb)


def test_a_paused_job_is_not_handed_out(ledger: Ledger) -> None:
    """A slice in hand ends at the next picture; the one in hand counts."""
    ledger.submit(new("j1", 2))
    slice_ = claim(ledger, 1, begin=True)
    assert ledger.control("j1", "pause") is JobState.RUNNING
    assert ledger.get("j1").paused
    assert ledger.claim(LANE, "w1", HOLDER, 1) is None
    assert ledger.start(slice_.fence, 0) is Directive.YIELD
    assert ledger.commit(slice_.fence, 0, {"key": "0"}) is UnitOutcome.OK
    ledger.control("j1", "resume")
    assert claim(ledger).units == (1,)


def test_a_canceled_job_keeps_what_is_drawn_and_may_be_retried(ledger: Ledger) -> None:
    """Whoever holds a slice is told; a retry draws what is missing."""
    ledger.submit(new("j1", 4))
    draw(ledger, claim(ledger, 1))
    slice_ = claim(ledger, 1, begin=True)
    assert ledger.control("j1", "cancel", "no need") is JobState.CANCELED
    assert ledger.control("j1", "cancel") is JobState.CANCELED
    assert ledger.get("j1").reason == "no need"
    assert ledger.progress(slice_.fence, 1, 1, 2) is Directive.CANCEL
    assert ledger.commit(slice_.fence, 1, {}) is UnitOutcome.CANCEL
    assert ledger.control("j1", "retry") is JobState.QUEUED
    assert ledger.start(slice_.fence, 1) is Directive.LOST
    work_off(ledger)
    row = ledger.get("j1")
    assert (row.state, row.done) == ("succeeded", 4)


def test_a_job_that_comes_back_lacks_what_was_not_kept(ledger: Ledger) -> None:
    """Of a job that is known nothing is kept."""
    ledger.keep_units("j1", {1: {"key": "1"}})
    ledger.submit(new("j1", 3))
    ledger.keep_units("j1", {2: {"key": "2"}})
    assert (ledger.get("j1").done, ledger.outputs("j1")) == (1, {1: {"key": "1"}})
    drawn: list[int] = []
    while slice_ := ledger.claim(LANE, "w1", HOLDER, 1):
        drawn += slice_.units
        draw(ledger, slice_)
    assert drawn == [0, 2]


def test_workers_are_known_by_their_beats(ledger: Ledger) -> None:
    """And a ticket is missing for each, but no more than there are units."""
    assert ledger.workers() == []
    for name in ("w1", "w2"):
        ledger.beat(name, f"{name}/1", {"lanes": [LANE]})
    assert {worker.name for worker in ledger.workers() if worker.serves(LANE)} == {"w1", "w2"}
    assert [ledger.missing_tickets(LANE, units) for units in (1, 2, 9)] == [1, 2, 2]
    assert [ledger.submit(new(f"j{units}", units)).tickets for units in (1, 9)] == [1, 2]


def test_what_takes_a_server_is_refused_by_name() -> None:
    """Rather than half done: a test of it needs the real one."""
    ledger = InMemoryLedger()
    ledger.submit(new("j1"))
    slice_ = claim(ledger)
    refused: dict[str, Callable[[], object]] = {
        "sweep": ledger.sweep,
        "rest": lambda: ledger.release(slice_.fence, HOLDER, 1000),
        "front": lambda: ledger.control("j1", "front"),
        "chains, times": lambda: ledger.submit(replace(new("j2"), window=Window(0, 60))),
        "no server": ledger.waiting,
    }
    for word, call in refused.items():
        with pytest.raises(NotInMemory, match=word):
            call()
