"""A submission that is killed, loses its store or its broker, or meets another under its key."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, cast

import pytest
import redis
from support.command_line import environment
from support.manual_worker import LANE, ManualWorker, apple, forget_farm

from winepress import Client, JobHandle, JobState, StoreUnreachable
from winepress.recovery import StoredJobs
from winepress_shared.archive import Archive, JobRecord
from winepress_shared.ledger.pending import PendingJobs
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_worker.renderer.left_submissions import LeftSubmissions

#: A producer that dies by SIGKILL before or after a step. The words: class, method, when, key.
_PRODUCER = """
import os, signal, sys
from winepress import Client, TextToImage
from winepress_shared.archive import Archive
from winepress_shared.ledger.pending import PendingJobs

owner, name, when, key = sys.argv[1:]
owner = {"Archive": Archive, "PendingJobs": PendingJobs}[owner]
act = getattr(owner, name)

def die(*args, **options):
    if when == "after":
        act(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, die)
jobs = [TextToImage(prompt="a red apple", seed=seed) for seed in (1, 2)]
with Client.from_env() as client:
    if key == "two jobs":
        client.submit_many(jobs)
    client.submit(jobs[0], idempotency_key=key)
"""
HELD, WRITTEN, ACCEPTED = (
    ("PendingJobs", "hold", "after"),
    ("Archive", "write_job", "after"),
    ("PendingJobs", "accept", "after"),
)
JOB = apple(seed=1)


class Worker:
    """The part of a worker that looks after submissions, and time travel for it."""

    def __init__(self, settings: Settings) -> None:
        self._farm = settings.farm
        self._broker = redis.Redis.from_url(settings.broker_url.get_secret_value())
        self._pending = PendingJobs(settings)
        self._decider = LeftSubmissions(self._pending, Archive(open_store(settings)))

    def close(self) -> None:
        self._broker.close()
        self._pending.close()

    def look(self) -> None:
        """Look after submissions, long after they began."""
        for name in ("pending", "withdrawn"):
            key = f"{self._farm}:{name}"
            jobs = cast("list[str]", self._broker.zrange(key, 0, -1))
            if jobs:
                self._broker.zadd(key, dict.fromkeys(jobs, 1))
        self._decider.decide()

    @property
    def left(self) -> int:
        """Submissions that are still to be looked after."""
        return sum(self._broker.zcard(f"{self._farm}:{name}") for name in ("pending", "withdrawn"))


@pytest.fixture
def worker(farm_settings: Settings) -> Iterator[Worker]:
    one = Worker(farm_settings)
    yield one
    assert one.left == 0, "a worker leaves nothing undecided"
    one.close()


@pytest.fixture
def killed(farm_settings: Settings) -> Callable[..., None]:
    """Have a producer submit and be killed at a step."""

    def submit(step: tuple[str, str, str], key: str = "k1") -> None:
        done = subprocess.run(
            [sys.executable, "-c", _PRODUCER, *step, key],
            env=environment(farm_settings),
            check=False,
        )
        assert done.returncode == -signal.SIGKILL

    return submit


def recovered(client: Client) -> list[str]:
    """The jobs that a recovery enters once the broker has lost everything."""
    forget_farm(client.settings)
    return [handle.id for handle in client.recover()]


# -- the producer is killed ------------------------------------------------------------------


def test_a_submission_killed_before_it_wrote_anything_is_forgotten(
    client: Client, worker: Worker, killed: Callable[..., None], manual_worker: ManualWorker
) -> None:
    """It takes room until a worker has looked, and is never drawn."""
    killed(HELD)
    (row,) = client.list()
    assert row.pending
    assert "its submission is not complete" in JobHandle(client, row.id).explain()
    assert client.recover() == []
    worker.look()
    manual_worker.work(LANE)
    assert list(client.list()) == []
    assert recovered(client) == []


def test_a_submission_killed_after_it_wrote_the_job_is_accepted_by_a_worker(
    client: Client, worker: Worker, killed: Callable[..., None], manual_worker: ManualWorker
) -> None:
    """The store has it, so it counts."""
    killed(WRITTEN)
    (row,) = client.list()
    assert row.pending
    worker.look()
    assert not client.get(row.id).status().pending
    manual_worker.work(LANE)
    assert client.get(row.id).wait(timeout=0).status().state is JobState.SUCCEEDED


def test_a_submission_killed_before_it_was_told_has_been_accepted(
    client: Client, worker: Worker, killed: Callable[..., None]
) -> None:
    """And is found under its key."""
    killed(ACCEPTED)
    (row,) = client.list()
    assert not row.pending
    assert client.submit(JOB, idempotency_key="k1").id == row.id
    assert recovered(client) == [row.id]


@pytest.mark.parametrize("step", [WRITTEN, ACCEPTED])
def test_a_job_that_was_written_is_entered_after_the_broker_lost_everything(
    client: Client, worker: Worker, killed: Callable[..., None], step: tuple[str, str, str]
) -> None:
    """Whatever its producer was told."""
    killed(step)
    (row,) = client.list()
    assert recovered(client) == [row.id]
    assert client.submit(JOB, idempotency_key="k1").id == row.id


def test_a_recovery_on_a_running_farm_accepts_what_was_written(
    client: Client, worker: Worker, killed: Callable[..., None]
) -> None:
    """It need not wait for a worker's look."""
    killed(WRITTEN)
    (row,) = client.list()
    assert [handle.id for handle in client.recover()] == [row.id]
    assert client.recover() == []


@pytest.mark.parametrize("step", [HELD, WRITTEN, ACCEPTED])
def test_whoever_submits_again_under_the_key_waits_for_nobody(
    client: Client, worker: Worker, killed: Callable[..., None], step: tuple[str, str, str]
) -> None:
    """One job is queued, under either id, whatever a worker or a recovery does later."""
    killed(step)
    (left,) = client.list()
    again = client.submit(JOB, idempotency_key="k1")
    assert (again.id == left.id) is (step != HELD)
    assert not again.status().pending
    worker.look()
    assert [row.id for row in client.list()] == [again.id]
    assert StoredJobs.list(client).ids == {again.id}
    assert recovered(client) == [again.id]


def test_of_jobs_killed_together_those_that_were_written_are_decided_one_by_one(
    client: Client, worker: Worker, killed: Callable[..., None]
) -> None:
    """Nobody is there to undo them; nobody was told that they failed, either."""
    killed(("Archive", "write_job", "before"), "two jobs")
    assert [row.pending for row in client.list()] == [True, True]
    worker.look()
    assert list(client.list()) == []
    killed(("PendingJobs", "accept", "before"), "two jobs")
    worker.look()
    assert [row.pending for row in client.list()] == [False, False]


# -- the store fails -------------------------------------------------------------------------


def lose(client: Client, monkeypatch: pytest.MonkeyPatch, act: str, *, is_done: bool) -> None:
    """From now on the store of ``client`` does not answer to ``act``."""
    do = getattr(client.archive.store, act)

    def unheard(*args: Any, **options: Any) -> None:
        if is_done:
            do(*args, **options)
        raise StoreUnreachable("the store does not answer")

    monkeypatch.setattr(client.archive.store, act, unheard)


@pytest.mark.parametrize("count", [1, 3])
def test_a_job_whose_answer_was_lost_with_the_store_is_never_drawn(
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch, count: int
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
    worker.look()
    assert recovered(client) == []


def test_a_request_that_reaches_the_store_late_brings_no_job_back(
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
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
    worker.look()
    assert recovered(client) == []


def fail() -> NoReturn:
    raise StoreUnreachable("the store does not answer")


def test_a_worker_without_the_store_decides_nothing(
    client: Client,
    worker: Worker,
    killed: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It tries again later."""
    killed(WRITTEN)
    with monkeypatch.context() as patch:
        patch.setattr(Archive, "has_job", lambda *_: fail())
        with pytest.raises(StoreUnreachable):
            worker.look()
    assert worker.left == 1
    worker.look()
    assert not client.list()[0].pending


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
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """It is entered again; its key too."""
    while_written(client, monkeypatch, lambda: forget_farm(client.settings), before=before)
    job = client.submit(JOB, idempotency_key="k1")
    assert not job.status().pending
    assert client.submit(JOB, idempotency_key="k1").id == job.id
    assert recovered(client) == [job.id]


def test_a_producer_slower_than_a_worker_waits_is_served_nevertheless(
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that slept, for example: its place was given away, it takes another."""
    while_written(client, monkeypatch, worker.look, before=True)
    job = client.submit(JOB, idempotency_key="k1")
    assert [row.id for row in client.list()] == [job.id]
    assert client.ledger.waiting() == {LANE: 1}


# -- two submissions under one key -----------------------------------------------------------


@pytest.mark.parametrize("before", [True, False])
def test_two_submissions_under_one_key_at_once_are_one_job(
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch, before: bool
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
    worker.look()
    assert recovered(client) == [first.id]


def test_a_key_that_another_took_with_other_content_is_refused_at_the_end(
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one's place was given away meanwhile; nothing of it is left."""

    def take() -> None:
        worker.look()
        with Client(client.settings) as second:
            second.submit(apple(seed=2), idempotency_key="k1")

    while_written(client, monkeypatch, take, before=True)
    with pytest.raises(Exception, match="other content"):
        client.submit(JOB, idempotency_key="k1")
    (row,) = client.list()
    assert recovered(client) == [row.id]
