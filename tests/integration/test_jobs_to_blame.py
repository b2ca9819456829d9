"""A job that meets a fault of surroundings wherever others are served ends; its lane goes on."""

from __future__ import annotations

import time

import pytest
from support.local_worker import LocalWorker
from support.manual_worker import ManualWorker
from support.worker_process import await_condition

from winepress import Client, JobHandle, JobState, TextToImage
from winepress_shared.settings import Settings
from winepress_worker.renderer import unfit

LANE = "vignette.fp16"
_PATIENCE_S = 60
BAD, GOOD = "a fox [[environment]]", "a fox"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker comes back to a lane at once."""
    monkeypatch.setattr(unfit, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(unfit, "LONGEST_PAUSE_S", 0.01)


def submit(client: Client, *prompts: str) -> list[JobHandle]:
    return [client.submit(TextToImage(prompt=prompt, seed=1)) for prompt in prompts]


def serve(worker: LocalWorker, times: int) -> None:
    """Let the worker come back to the lane so often."""
    left_lanes = worker.renderer._unfit
    for _ in range(times):
        await_condition(lambda: not left_lanes.reasons or left_lanes.try_again(), 0.01)
        worker.renderer.describe()
        worker.renderer.run(LANE)


def work_off(client: Client, workers: list[LocalWorker], handles: list[JobHandle]) -> None:
    """Serve the lane until every job has ended."""
    deadline = time.monotonic() + _PATIENCE_S
    while any(not handle.status().state.is_terminal for handle in handles):
        assert time.monotonic() < deadline, [handle.status() for handle in handles]
        client.ledger.sweep()  # as the parents of workers do
        for worker in workers:
            worker.renderer.describe()
            worker.renderer.run(LANE)


@pytest.mark.parametrize("count", [1, 2])
def test_it_ends_with_the_reason_and_the_jobs_behind_it_are_drawn(
    farm_settings: Settings, client: Client, count: int
) -> None:
    """Whether one worker serves the lane or several, and though it is the oldest."""
    workers = [LocalWorker(farm_settings, f"w{number}") for number in range(count)]
    bad, *good = submit(client, BAD, *[GOOD] * 4)
    work_off(client, workers, [bad, *good])
    assert [handle.status().state for handle in good] == [JobState.SUCCEEDED] * 4
    assert bad.status().state is JobState.FAILED
    assert "serves other jobs of this lane, but not this one" in str(bad.status().reason)


def test_alone_it_waits_for_it_may_be_the_worker(farm_settings: Settings, client: Client) -> None:
    """Nothing is counted: the disk may be empty tomorrow."""
    worker = LocalWorker(farm_settings)
    (bad,) = submit(client, BAD)
    serve(worker, 8)
    assert bad.status().state is JobState.QUEUED
    assert not bad.status().failed


def test_a_picture_that_was_stored_before_proves_nothing(
    farm_settings: Settings,
    client: Client,
    manual_worker: ManualWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker counts what a dead one has stored, and has drawn nothing by that."""

    class DiedError(Exception):
        pass

    def die(*_: object) -> None:
        raise DiedError

    worker = LocalWorker(farm_settings)
    (stored,) = submit(client, GOOD)
    monkeypatch.setattr(manual_worker.ledger, "commit", die)
    with pytest.raises(DiedError):
        manual_worker.work(LANE)
    (bad,) = submit(client, BAD)
    serve(worker, 1)
    manual_worker.ledger.beat("manual", "manual/2", {})  # its picture waits again
    manual_worker.ledger.leave("manual")
    serve(worker, 8)
    assert stored.status().state is JobState.SUCCEEDED
    assert bad.status().state is JobState.QUEUED
    assert not bad.status().failed
