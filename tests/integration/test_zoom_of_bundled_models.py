"""A short zoom with the bundled models, and what is left of it when its worker is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import ImageStat
from support.local_worker import LocalWorker, small_zoom

from winepress import Client, JobHandle
from winepress_shared.ledger.ledger import holder_of
from winepress_shared.settings import Settings
from winepress_worker.zoom.encoder import sampled

#: A worker without a parent: it takes what waits in the lane of its arguments.
_WORKER = """
import sys
from pydantic import SecretStr
from support.local_worker import LocalWorker
from winepress_shared.settings import Settings
farm, broker, store, home = sys.argv[1:]
settings = Settings(farm=farm, broker_url=SecretStr(broker), store_folder=store, home=home)
LocalWorker(settings, engine="openvino").work_off()
"""
_SIDE = 256
_KEY_FRAMES = 3


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    words = [settings.farm, settings.broker_url.get_secret_value()]
    words += [str(settings.store_folder), str(settings.home)]
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER, *words], env={**os.environ, "PYTHONPATH": path}
    )


def _submit(client: Client) -> JobHandle:
    job = small_zoom(width=_SIDE, height=_SIDE, prompt="a castle at night", key_frames=_KEY_FRAMES)
    return client.submit(job.model_copy(update={"num_inference_steps": 6, "overlap": 16}))


@pytest.mark.slow
def test_a_zoom_of_real_pictures_survives_the_death_of_its_worker(
    farm_settings: Settings, model_home: Path, tmp_path: Path
) -> None:
    """SIGKILL while key frame 1 is drawn; another process ends it as if nothing had been."""
    settings = farm_settings.model_copy(update={"home": model_home})
    with Client(settings) as client:
        killed = _submit(client)
        with _start(settings) as process:
            for event in killed.events(timeout=120):
                if event.name == "progress" and event.fields["unit"] == "1":
                    process.send_signal(signal.SIGKILL)
                    break
            assert process.wait(30) == -signal.SIGKILL
        assert killed.status().done <= 1
        local_worker = LocalWorker(settings, engine="openvino")
        client.ledger.beat(local_worker.name, holder_of(local_worker.name, os.getpid()), {})
        local_worker.work_off()
        killed.wait(timeout=0)
        alone = _submit(client)
        local_worker.work_off()
        alone.wait(timeout=0)
        drawn = [handle.result.outputs[:_KEY_FRAMES] for handle in (killed, alone)]
        assert [o.sha256 for o in drawn[0]] == [o.sha256 for o in drawn[1]]
        path = killed.save(tmp_path)[-1]
        frames = [picture for _, picture in sampled(path, 10)]
        assert len(frames) == 10
        spans = [ImageStat.Stat(frame.convert("L")).extrema[0] for frame in frames]
        assert all(low < 60 < 120 < high for low, high in spans)
