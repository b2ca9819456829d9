"""A worker that is told to leave in the middle of a long picture."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from support.worker_process import PATIENCE_S, WorkerProcess, await_condition

from winepress import Client, TextToImage
from winepress_shared.settings import Settings


@pytest.mark.case(36)
def test_a_picture_longer_than_the_grace_is_left_to_others_and_no_attempt_counts(
    farm_settings: Settings, client: Client, tmp_path: Path
) -> None:
    """Three deploys in one night would else give up a picture that nothing is wrong with."""
    settings = farm_settings.model_copy(update={"home": tmp_path / "home"})
    job = client.submit(TextToImage(prompt="a fox", num_inference_steps=150, seed=1))
    drain = ("--drain-grace", "0.1")
    with WorkerProcess(settings, tmp_path, "first", "fake:step_s=0.5", *drain) as worker:
        for event in job.events(PATIENCE_S):
            if event.name == "progress":
                break
        assert worker.stop() == 0
    url = settings.broker_url.get_secret_value()
    with redis.Redis.from_url(url, decode_responses=True) as broker:
        prefix = f"{settings.farm}:"
        assert not broker.hgetall(f"{prefix}attempts:{job.id}")
        assert not broker.zcard(f"{prefix}leases")
    with WorkerProcess(settings, tmp_path, "second", "fake:step_s=0"):
        await_condition(lambda: job.status().state == "succeeded")
    (output,) = job.result.outputs
    assert (output.worker, output.attempts) == ("second", 1)
    assert "is killed" not in (tmp_path / "first.log").read_text("utf-8")


@pytest.mark.slow
def test_a_successor_waits_for_a_worker_that_drains_and_then_goes_on(
    farm_settings: Settings, client: Client, tmp_path: Path
) -> None:
    """Both have one name; the picture in hand is ended by the first and counted once."""
    settings = farm_settings.model_copy(update={"home": tmp_path / "home"})
    jobs = [client.submit(TextToImage(prompt="a fox", num_inference_steps=60)) for _ in range(2)]
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    with WorkerProcess(settings, old, "one", "fake:step_s=0.25", "--max-batch-size", "1") as first:
        for event in jobs[0].events(PATIENCE_S):
            if event.name == "progress":
                break
        first.ask_to_stop()
        await_condition(lambda: client.workers()[0].facts.get("draining") is True)
        with WorkerProcess(settings, new, "one", "fake:step_s=0"):
            await_condition(lambda: "is leaving the farm" in (new / "one.log").read_text("utf-8"))
            assert first.stop() == 0
            for job in jobs:
                await_condition(lambda: job.status().state == "succeeded")  # noqa: B023
            (worker,) = client.workers()
            assert "draining" not in worker.facts
    assert [output.attempts for job in jobs for output in job.result.outputs] == [1, 1]
