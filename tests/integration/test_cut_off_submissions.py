"""A submission loses its store or its broker, or meets another under its key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from support.deciding_worker import DecidingWorker, recovered
from support.manual_worker import LANE, apple, forget_farm

from winepress import Client, Conflict, JobHandle, StoreUnreachable
from winepress.stored_jobs import StoredJobs
from winepress_shared.archive import JobRecord

JOB = apple(seed=1)


# -- the store fails -------------------------------------------------------------------------


def lose(client: Client, monkeypatch: pytest.MonkeyPatch, act: str, *, is_done: bool) -> None:
    """From now on the store of ``client`` does not answer to ``act``."""
    do = getattr(client.archive.store, act)

    def silent(*args: Any, **options: Any) -> None:
        if is_done:
            do(*args, **options)
        raise StoreUnreachable("the store does not answer")

    monkeypatch.setattr(client.archive.store, act, silent)


@pytest.mark.parametrize("count", [1, 3])
def test_a_job_whose_answer_was_lost_with_the_store_is_never_drawn(
    client: Client, deciding_worker: DecidingWorker, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Its producer was told that it failed. The ledger remembers until a worker has ended it."""
    with monkeypatch.context() as patch:
        lose(client, patch, "put", is_done=True)
        lose(client, patch, "delete", is_done=False)
        with pytest.raises(StoreUnreachable) as caught:
            client.submit_many([JOB] * count)
    assert "accepted" not in str(caught.value.hint)
    assert list(client.list()) == []
    assert StoredJobs.list(client).ids, "it is there"
    assert client.recover() == []
    deciding_worker.look()
    assert recovered(client) == []


def test_a_request_that_reaches_the_store_late_brings_no_job_back(
    client: Client, deciding_worker: DecidingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The producer gave it up and removed the job; then the store carries it out."""
    lost: list[JobRecord] = []

    def send(record: JobRecord) -> NoReturn:
        lost.append(record)
        fail()

    with monkeypatch.context() as patch:
        patch.setattr(client.archive, "write_job", send)
        with pytest.raises(StoreUnreachable):
            client.submit(JOB)
    client.archive.write_job(lost[0])
    assert client.recover() == []
    deciding_worker.look()
    assert recovered(client) == []


def fail() -> NoReturn:
    raise StoreUnreachable("the store does not answer")


# -- the broker fails ------------------------------------------------------------------------


def while_written(
    client: Client, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], *, before: bool
) -> None:
    """Have ``act`` done once, before or after ``job.json`` is written."""
    write_job = client.archive.write_job
    done: list[JobRecord] = []

    def interrupted(record: JobRecord) -> None:
        is_first = not done
        done.append(record)
        if is_first and before:
            act()
        write_job(record)
        if is_first and not before:
            act()

    monkeypatch.setattr(client.archive, "write_job", interrupted)


@pytest.mark.parametrize("before", [True, False])
def test_a_broker_that_loses_everything_meanwhile_costs_the_job_nothing(
    client: Client, deciding_worker: DecidingWorker, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """It is entered again; its key too."""
    while_written(client, monkeypatch, lambda: forget_farm(client.settings), before=before)
    job = client.submit(JOB, idempotency_key="k1")
    assert not job.status().pending
    assert client.submit(JOB, idempotency_key="k1").id == job.id
    assert recovered(client) == [job.id]


def test_a_producer_slower_than_a_worker_waits_is_served_nevertheless(
    client: Client, deciding_worker: DecidingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that slept, for example: its place was given away, it takes another."""
    while_written(client, monkeypatch, deciding_worker.look, before=True)
    job = client.submit(JOB, idempotency_key="k1")
    assert [row.id for row in client.list()] == [job.id]
    assert client.ledger.waiting() == {LANE: 1}


# -- two submissions under one key -----------------------------------------------------------


@pytest.mark.parametrize("before", [True, False])
def test_two_submissions_under_one_key_at_once_are_one_job(
    client: Client, deciding_worker: DecidingWorker, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """Both are told the same, neither waits for the other, and the store has one description."""
    other: list[JobHandle] = []
    with Client(client.settings) as second:
        while_written(
            client,
            monkeypatch,
            lambda: other.append(second.submit(JOB, idempotency_key="k1")),
            before=before,
        )
        first = client.submit(JOB, idempotency_key="k1")
    assert first.id == other[0].id
    assert client.ledger.waiting() == {LANE: 1}
    deciding_worker.look()
    assert recovered(client) == [first.id]


def test_a_key_that_another_took_with_other_content_is_refused_at_the_end(
    client: Client, deciding_worker: DecidingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one's place was given away meanwhile; nothing of it is left."""

    def take() -> None:
        deciding_worker.look()
        with Client(client.settings) as second:
            second.submit(apple(seed=2), idempotency_key="k1")

    while_written(client, monkeypatch, take, before=True)
    with pytest.raises(Conflict, match="other content"):
        client.submit(JOB, idempotency_key="k1")
    (row,) = client.list()
    assert recovered(client) == [row.id]
