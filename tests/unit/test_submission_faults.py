"""What becomes of a submission when a part of the farm fails at the wrong moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def test_a_job_that_cannot_be_marked_as_accepted_is_canceled(
    client: Client, ledger: FailingLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store failed when the ledger had the job: `recover` would not know of it."""
    store = client.archive.store
    put = store.put

    def refuse(key: str, data: bytes, **options: Any) -> None:
        if key.endswith("/accepted"):
            raise StoreUnreachable("the store does not answer")
        put(key, data, **options)

    monkeypatch.setattr(store, "put", refuse)
    with pytest.raises(StoreUnreachable):
        client.submit(APPLE)
    assert ledger.ids(JobState.CANCELED) == ledger.ids() != []


def test_a_store_that_fails_while_the_job_is_written_leaves_nothing(
    client: Client, ledger: FailingLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object may be there although the answer was lost."""
    store = client.archive.store
    put = store.put

    def lose(key: str, data: bytes, **options: Any) -> None:
        put(key, data, **options)
        raise StoreUnreachable("the answer was lost")

    monkeypatch.setattr(store, "put", lose)
    with pytest.raises(StoreUnreachable):
        client.submit(APPLE)
    assert (ledger.ids(), names(client)) == ([], set())


class TimeIsUp(Exception):
    """Raised by a task queue in whatever its task is doing, as Celery's SoftTimeLimitExceeded."""


@pytest.mark.parametrize("is_entered", [True, False])
@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, TimeIsUp])
def test_a_submission_that_is_interrupted_is_taken_back(
    client: Client, ledger: FailingLedger, is_entered: bool, end: type[BaseException]
) -> None:
    """Its id was never told, so nobody could cancel it: entered or not, it does not run."""
    if is_entered:
        ledger.fault = end()
    else:
        ledger.room, ledger.full = 0, end()
    with pytest.raises(end):
        client.submit(APPLE)
    assert len(ledger.ids(JobState.CANCELED)) == is_entered
    kept = {path.key for path in client.archive.store.list("jobs/")}
    assert any(key.endswith("/result.json") for key in kept) is is_entered
    assert bool(kept) is is_entered


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
@pytest.mark.parametrize("end", [QueueFull("the queue is full"), KeyboardInterrupt()])
def test_jobs_submitted_together_are_taken_back_when_one_is_not_accepted(
    client: Client,
    ledger: FailingLedger,
    tmp_path: Path,
    submit: Callable[[Client, Path], None],
    end: BaseException,
) -> None:
    """Refused or interrupted: those accepted are canceled, the others leave nothing."""
    ledger.room, ledger.full = 2, end
    with pytest.raises(type(end)):
        submit(client, tmp_path)
    assert len(ledger.ids()) == 2
    assert ledger.ids(JobState.CANCELED) == ledger.ids()
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
    store = client.archive.store
    put = store.put

    def draw_and_refuse(key: str, data: bytes, **options: Any) -> None:
        if not key.endswith("/accepted"):
            put(key, data, **options)
            return
        slice_ = ledger.claim("vignette.fp16", "w1", "w1/1", 1, begin=True)
        assert slice_
        ledger.commit(slice_.fence, 0, {})
        ledger.finish(slice_.fence)
        raise StoreUnreachable("the store does not answer")

    monkeypatch.setattr(store, "put", draw_and_refuse)
    with pytest.raises(StoreUnreachable):
        client.submit(APPLE)
    assert ledger.ids(JobState.SUCCEEDED) == ledger.ids() != []
