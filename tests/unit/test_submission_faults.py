"""What becomes of a submission when a part of the farm fails at the wrong moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from support.failing_ledger import FailingLedger

from winepress import (
    BrokerUnreachable,
    Client,
    JobState,
    Priority,
    QueueFull,
    StoreUnreachable,
    TextToImage,
)
from winepress.bulk.bulk_file import read_lines
from winepress.bulk.plan import Plan, PlanOptions
from winepress.bulk.submission import submit_plan
from winepress.submit_options import SubmitOptions
from winepress_shared.ledger.acceptance import Acceptance

APPLE = TextToImage(prompt="a red apple", seed=7)


def descriptions(client: Client) -> list[str]:
    return [stored.key.split("/")[1] for stored in client.archive.store.list("jobs/")]


def test_a_ticket_that_cannot_be_sent_does_not_undo_the_job(
    client: Client,
    ledger: FailingLedger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The job is accepted; the workers' reconciler issues the ticket, a warning says so."""

    def refuse(app: object, lane: str, count: int = 1) -> None:
        raise BrokerUnreachable("cannot send a ticket")

    monkeypatch.setattr("winepress_shared.broker.send_tickets", refuse)
    handle = client.submit(APPLE)
    assert ledger.ids() == [handle.id]
    assert set(descriptions(client)) == {handle.id}
    assert "accepted" in caplog.text


def names(client: Client) -> set[str]:
    return {stored.key.rpartition("/")[2] for stored in client.archive.store.list("jobs/")}


def test_a_broker_lost_during_the_submission_undoes_it(
    client: Client, ledger: FailingLedger
) -> None:
    """The ledger may have the job: it finds no description, and a result that says it is over."""
    ledger.fault, ledger.is_away = BrokerUnreachable("the broker does not answer"), True
    with pytest.raises(BrokerUnreachable):
        client.submit(APPLE)
    assert names(client) == {"result.json"}


def test_a_broker_lost_during_a_submission_with_a_key_leaves_it_to_be_found(
    client: Client, ledger: FailingLedger
) -> None:
    """Whoever submits it again under the key gets this very job, so it must be there."""
    ledger.fault, ledger.is_away = BrokerUnreachable("the broker does not answer"), True
    with pytest.raises(BrokerUnreachable) as caught:
        client.submit(APPLE, idempotency_key="k1")
    (job_id,) = descriptions(client)
    assert names(client) == {"job.json"}
    assert f"winepress status {job_id}" in (caught.value.hint or "")
    assert "same idempotency key" in (caught.value.hint or "")


def test_a_broker_that_lost_the_answer_and_is_back_cancels_the_job(
    client: Client, ledger: FailingLedger
) -> None:
    """Its producer is told that it failed, and will submit it again."""
    ledger.fault = BrokerUnreachable("the broker does not answer")
    with pytest.raises(BrokerUnreachable):
        client.submit(APPLE)
    assert ledger.ids(JobState.CANCELED) == descriptions(client)[:1]
    assert names(client) == {"job.json", "result.json"}


def fail_after(
    client: Client, monkeypatch: pytest.MonkeyPatch, act: str, *, is_done: bool = True
) -> None:
    """From now on the store does not answer to ``act``, whether or not it does it."""
    store = client.archive.store
    do = getattr(store, act)

    def lose(*args: Any, **options: Any) -> None:
        if is_done:
            do(*args, **options)
        raise StoreUnreachable("the answer was lost")

    monkeypatch.setattr(store, act, lose)


@pytest.mark.parametrize("is_done", [True, False])
def test_a_store_that_fails_while_the_job_is_written_leaves_nothing(
    client: Client, ledger: FailingLedger, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    """It may have the object although the answer was lost, or get it still: a worker looks."""
    fail_after(client, monkeypatch, "put", is_done=is_done)
    with pytest.raises(StoreUnreachable):
        client.submit(APPLE)
    assert (ledger.ids(), ledger.held, names(client)) == ([], {}, set())
    assert len(ledger.withdrawn) == 1


def test_a_store_that_is_lost_with_the_job_in_it_is_left_to_the_workers(
    client: Client, ledger: FailingLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The description cannot be removed now; the ledger remembers that nobody wants it."""
    fail_after(client, monkeypatch, "put")
    fail_after(client, monkeypatch, "delete", is_done=False)
    with pytest.raises(StoreUnreachable):
        client.submit_many([APPLE] * 3)
    assert (ledger.ids(), ledger.held, len(ledger.withdrawn)) == ([], {}, 3)
    assert set(descriptions(client)) <= set(ledger.withdrawn)


def test_a_full_queue_refuses_before_anything_is_written(
    client: Client, ledger: FailingLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a refusal costs the store nothing, and leaves nothing to look after."""
    monkeypatch.setattr(client.archive.store, "put", None)
    ledger.room = 0
    with pytest.raises(QueueFull):
        client.submit(APPLE)
    assert (ledger.held, ledger.withdrawn) == ({}, [])


def test_a_job_that_the_ledger_lost_while_it_was_written_is_entered_again(
    client: Client, ledger: FailingLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker lost everything, or did not wait as long as the producer needed."""
    store = client.archive.store
    put = store.put

    def lose_ledger(*args: Any, **options: Any) -> None:
        put(*args, **options)
        ledger.held.clear()

    monkeypatch.setattr(store, "put", lose_ledger)
    handles = client.submit_many([APPLE] * 3)
    assert ledger.ids() == [handle.id for handle in handles]


class TimeIsUp(Exception):
    """Raised by a task queue in whatever its task is doing, as Celery's SoftTimeLimitExceeded."""


@pytest.mark.parametrize("is_entered", [True, False])
@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, TimeIsUp])
def test_a_submission_that_is_interrupted_is_taken_back(
    client: Client,
    ledger: FailingLedger,
    monkeypatch: pytest.MonkeyPatch,
    is_entered: bool,
    end: type[BaseException],
) -> None:
    """Its id was never told, so nobody could cancel it: entered or not, it does not run."""
    if is_entered:
        ledger.fault = end()
    else:
        monkeypatch.setattr(client.archive.store, "put", Mock(side_effect=end()))
    with pytest.raises(end):
        client.submit(APPLE)
    assert len(ledger.ids(JobState.CANCELED)) == is_entered
    kept = {path.key for path in client.archive.store.list("jobs/")}
    assert any(key.endswith("/result.json") for key in kept) is is_entered
    assert bool(kept) is is_entered
    assert ledger.held == {}


def submit_jobs(client: Client, tmp_path: Path) -> None:
    client.submit_many([APPLE] * 5)


def submit_bulk(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "bulk.csv"
    rows = [f"a cat,{priority},{size}" for priority in Priority for size in ("64x64", "128x64")]
    path.write_text("prompt,priority,size\n" + "\n".join(rows))
    plan = Plan(client.catalogue, PlanOptions())
    plan.add(read_lines(path))
    assert len(plan.groups) == 3
    submit_plan(client, plan, SubmitOptions("ann"))


@pytest.mark.parametrize("submit", [submit_jobs, submit_bulk])
@pytest.mark.parametrize(
    "end", [StoreUnreachable("the store does not answer"), KeyboardInterrupt()]
)
def test_jobs_submitted_together_are_taken_back_when_one_is_not_written(
    client: Client,
    ledger: FailingLedger,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    submit: Callable[[Client, Path], None],
    end: BaseException,
) -> None:
    """The store failed or the user did: none is accepted, and none is left in the store."""
    store = client.archive.store
    put = store.put
    written: list[str] = []

    def write_two(key: str, data: bytes, **options: Any) -> None:
        if key.endswith("/job.json"):
            if len(written) == 2:
                raise end
            written.append(key)
        put(key, data, **options)

    monkeypatch.setattr(store, "put", write_two)
    with pytest.raises(type(end)):
        submit(client, tmp_path)
    assert len(written) == 2
    assert (ledger.ids(), ledger.held, names(client)) == ([], {}, set())


@pytest.mark.parametrize("submit", [submit_jobs, submit_bulk])
def test_jobs_submitted_together_are_all_canceled_when_one_is_not_accepted(
    client: Client,
    ledger: FailingLedger,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    submit: Callable[[Client, Path], None],
) -> None:
    """The ledger lost some, and has no room to enter them again."""
    accept = ledger.accept

    def lose_the_last(job_ids: Sequence[str]) -> list[Acceptance]:
        ledger.drop(job_ids[-1:])
        found = accept(job_ids)
        monkeypatch.setattr(ledger, "submit", Mock(side_effect=QueueFull("the queue is full")))
        return found

    monkeypatch.setattr(ledger, "accept", lose_the_last)
    with pytest.raises(QueueFull):
        submit(client, tmp_path)
    assert ledger.ids(JobState.CANCELED) == ledger.ids() != []
    assert sorted(set(descriptions(client))) == sorted(ledger.ids())


@pytest.mark.parametrize("submit", [submit_jobs, submit_bulk])
def test_jobs_whose_broker_is_lost_meanwhile_are_all_undone(
    client: Client, ledger: FailingLedger, tmp_path: Path, submit: Callable[[Client, Path], None]
) -> None:
    """Those too that the ledger has: it finds their results, and no description."""
    ledger.fault, ledger.is_away = BrokerUnreachable("the broker does not answer"), True
    with pytest.raises(BrokerUnreachable):
        submit(client, tmp_path)
    assert set(ledger.ids()) <= set(descriptions(client))
    assert names(client) == {"result.json"}
    assert ledger.asked == 1, "every further try would wait for as long as the first"


def test_a_job_that_is_over_before_it_can_be_taken_back_stays(
    client: Client, ledger: FailingLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quick worker may have drawn it; the producer hears what failed, and of nothing else."""
    accept = ledger.accept

    def draw_and_fail(job_ids: Sequence[str]) -> list[Acceptance]:
        accept(job_ids)
        slice_ = ledger.claim("vignette.fp16", "w1", "w1/1", 1, begin=True)
        assert slice_
        ledger.commit(slice_.fence, 0, {})
        ledger.finish(slice_.fence)
        raise BrokerUnreachable("the broker does not answer")

    monkeypatch.setattr(ledger, "accept", draw_and_fail)
    with pytest.raises(BrokerUnreachable):
        client.submit(APPLE)
    assert ledger.ids(JobState.SUCCEEDED) == ledger.ids() != []
