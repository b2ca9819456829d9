"""A producer is killed in the middle of a submission."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from unittest.mock import Mock

import pytest
from support.command_line import environment
from support.deciding_worker import DecidingWorker, recovered
from support.manual_worker import LANE, ManualWorker, apple

from winepress import Client, JobHandle, JobState, StoreUnreachable
from winepress.stored_jobs import StoredJobs
from winepress_shared.archive import Archive
from winepress_shared.settings import Settings

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


def test_a_submission_killed_before_it_wrote_anything_is_forgotten(
    client: Client,
    deciding_worker: DecidingWorker,
    killed: Callable[..., None],
    manual_worker: ManualWorker,
) -> None:
    """It takes room until a worker has looked, and is never drawn."""
    killed(HELD)
    (row,) = client.list()
    assert row.pending
    assert "its submission is not complete" in JobHandle(client, row.id).explain()
    assert client.recover() == []
    deciding_worker.look()
    manual_worker.work(LANE)
    assert list(client.list()) == []
    assert recovered(client) == []


def test_a_submission_killed_after_it_wrote_the_job_is_accepted_by_a_worker(
    client: Client,
    deciding_worker: DecidingWorker,
    killed: Callable[..., None],
    manual_worker: ManualWorker,
) -> None:
    """The store has it, so it counts."""
    killed(WRITTEN)
    (row,) = client.list()
    assert row.pending
    deciding_worker.look()
    assert not client.get(row.id).status().pending
    manual_worker.work(LANE)
    assert client.get(row.id).wait(timeout=0).status().state is JobState.SUCCEEDED


def test_a_submission_killed_before_it_was_told_has_been_accepted(
    client: Client, deciding_worker: DecidingWorker, killed: Callable[..., None]
) -> None:
    """And is found under its key."""
    killed(ACCEPTED)
    (row,) = client.list()
    assert not row.pending
    assert client.submit(JOB, idempotency_key="k1").id == row.id
    assert recovered(client) == [row.id]


@pytest.mark.parametrize("step", [WRITTEN, ACCEPTED])
def test_a_job_that_was_written_is_entered_after_the_broker_lost_everything(
    client: Client,
    deciding_worker: DecidingWorker,
    killed: Callable[..., None],
    step: tuple[str, str, str],
) -> None:
    """Whatever its producer was told."""
    killed(step)
    (row,) = client.list()
    assert recovered(client) == [row.id]
    assert client.submit(JOB, idempotency_key="k1").id == row.id


def test_a_recovery_on_a_running_farm_accepts_what_was_written(
    client: Client, deciding_worker: DecidingWorker, killed: Callable[..., None]
) -> None:
    """It need not wait for a worker's look."""
    killed(WRITTEN)
    (row,) = client.list()
    assert [handle.id for handle in client.recover()] == [row.id]
    assert client.recover() == []


@pytest.mark.parametrize("step", [HELD, WRITTEN, ACCEPTED])
def test_whoever_submits_again_under_the_key_waits_for_nobody(
    client: Client,
    deciding_worker: DecidingWorker,
    killed: Callable[..., None],
    step: tuple[str, str, str],
) -> None:
    """One job is queued, under either id, whatever a worker or a recovery does later."""
    killed(step)
    (left,) = client.list()
    again = client.submit(JOB, idempotency_key="k1")
    assert (again.id == left.id) is (step != HELD)
    assert not again.status().pending
    assert [row.id for row in client.list()] == [again.id]
    deciding_worker.look()
    assert [row.id for row in client.list()] == [again.id]
    assert StoredJobs.list(client).ids == {again.id}
    assert recovered(client) == [again.id]


def test_of_jobs_killed_together_those_that_were_written_are_decided_one_by_one(
    client: Client, deciding_worker: DecidingWorker, killed: Callable[..., None]
) -> None:
    """Nobody is there to undo them; nobody was told that they failed, either."""
    killed(("Archive", "write_job", "before"), "two jobs")
    assert [row.pending for row in client.list()] == [True, True]
    deciding_worker.look()
    assert list(client.list()) == []
    killed(("PendingJobs", "accept", "before"), "two jobs")
    deciding_worker.look()
    assert [row.pending for row in client.list()] == [False, False]


def test_a_worker_without_the_store_decides_nothing(
    client: Client,
    deciding_worker: DecidingWorker,
    killed: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It tries again later."""
    killed(WRITTEN)
    with monkeypatch.context() as patch:
        patch.setattr(Archive, "has_job", Mock(side_effect=StoreUnreachable("no answer")))
        with pytest.raises(StoreUnreachable):
            deciding_worker.look()
    assert deciding_worker.left == 1
    deciding_worker.look()
    assert not client.list()[0].pending
