"""What happens to a lane whose only warm worker dies for good."""

from __future__ import annotations

from pathlib import Path

import redis
from support.running_farm import assert_exactly_once
from support.worker_process import PATIENCE_S, WorkerProcess, await_condition

from winepress import Client, TextToImage
from winepress_shared.settings import Settings

_MODEL = "vignette.fp16"
_ENGINE = "fake:step_s=0.05,load_s=0.2"
_STEPS = 10  #: half a second for a picture
_UNITS = 6  #: so few that a cold worker would leave them to the warm one


def test_killing_the_only_worker_that_holds_a_model_warm_moves_its_lane(
    farm_settings: Settings, tmp_path: Path
) -> None:
    """The other one loads the model and draws the rest, long before the dead one is forgotten."""
    with (
        WorkerProcess(farm_settings, tmp_path, "one", _ENGINE) as one,
        WorkerProcess(farm_settings, tmp_path, "two", _ENGINE) as two,
        Client(farm_settings) as client,
    ):
        await_condition(lambda: len(client.workers()) == 2)
        client.submit(TextToImage(prompt="warm up", num_inference_steps=1)).wait(PATIENCE_S)

        def warm() -> list[str]:
            return [w.name for w in client.workers() if _MODEL in w.renderer.get("warm", ())]

        await_condition(lambda: len(warm()) == 1)
        (holder,) = [worker for worker in (one, two) if worker.name in warm()]
        (other,) = {one, two} - {holder}

        job = TextToImage(prompt="a cat", n=_UNITS, num_inference_steps=_STEPS, seed=1)
        handle = client.submit(job)
        holders = (event.fields.get("holder", "") for event in handle.events(PATIENCE_S))
        first = next(filter(None, holders))
        assert first.startswith(f"{holder.name}/"), "a cold worker did not leave the lane alone"
        assert warm() == [holder.name]
        holder.kill()

        await_condition(lambda: other.name in warm())
        assert holder.name in {worker.name for worker in client.workers()}
        _let_leases_run_out(farm_settings, first)
        handle.wait(PATIENCE_S)
        drawn_by = {output.worker for output in handle.result.outputs}
        assert other.name in drawn_by
        assert_exactly_once(client, [handle])


def _let_leases_run_out(settings: Settings, holder: str) -> None:
    """Half a minute later: nobody beats for them."""
    with redis.Redis.from_url(settings.broker_url.get_secret_value(), decode_responses=True) as db:
        for fence in db.smembers(f"{settings.farm}:held:{holder}"):
            db.zadd(f"{settings.farm}:leases", {str(fence): 1}, xx=True)
