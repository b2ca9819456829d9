"""A farm of one worker: who cannot wait goes before a bulk, after the picture in hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.manual_worker import LANE
from support.worker_process import WorkerProcess, await_condition

from winepress import Client, JobHandle, Priority, TextToImage
from winepress_shared.settings import Settings

_PATIENCE_S = 60
_BULK = 16
_OTHER = "vignette.int8"


@pytest.fixture
def worker(farm_settings: Settings, tmp_path: Path) -> Iterator[WorkerProcess]:
    """A picture of eight steps takes it a sixth of a second."""
    home = {"home": tmp_path / "home"}
    settings = farm_settings.model_copy(update=home)
    with WorkerProcess(settings, tmp_path, "one", "fake:step_s=0.02") as one:
        yield one
        one.kill()  # quicker than to have it finish with a surplus ticket


def picture(lane: str = LANE, **fields: object) -> TextToImage:
    model, _, precision = lane.partition(".")
    values = {"model": model, "precision": precision, "num_inference_steps": 8, **fields}
    return TextToImage.model_validate({"prompt": "a fox", **values})


def moments(handle: JobHandle, name: str) -> list[float]:
    """When such an event happened to a job."""
    return [event.at for event in handle.events() if event.name == name]


@pytest.mark.parametrize("lane", [LANE, _OTHER])
def test_an_interactive_job_is_begun_after_the_picture_in_hand(
    client: Client, worker: WorkerProcess, lane: str
) -> None:
    """In the lane of the bulk, and in another one whose model is warm; the bulk loses nothing."""
    for warm in (_OTHER, LANE):
        client.submit(picture(warm)).wait(_PATIENCE_S)
    bulk = client.submit(picture(n=_BULK, priority=Priority.BULK), user="bob")
    await_condition(lambda: bulk.status().done > 1)
    urgent = client.submit(picture(lane, priority=Priority.INTERACTIVE), user="ann")
    urgent.wait(_PATIENCE_S)
    came, (begun,) = urgent.status().created, moments(urgent, "unit-started")
    bulk.wait(_PATIENCE_S)
    between = [at for at in moments(bulk, "unit-started") if came < at < begun]
    # From another lane it is called when its next picture is begun, which is then given back.
    assert len(between) <= (lane != LANE), "no other picture is drawn first"
    outputs = bulk.result.outputs
    assert [output.attempts for output in outputs] == [1] * _BULK
