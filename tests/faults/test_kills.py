"""Whatever is killed while jobs run, each job ends exactly once."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from support.running_farm import RunningFarm

from winepress import JobHandle, TextToImage
from winepress_worker.parent.supervisor import STUCK_FLOOR_S

_JOBS = 20
_UNITS = 3
_PATIENCE_S = 120
_STEPS = 10


def _submit(running_farm: RunningFarm) -> Sequence[JobHandle]:
    jobs = [
        TextToImage(prompt=f"job {number}", n=_UNITS, num_inference_steps=_STEPS, seed=number)
        for number in range(_JOBS)
    ]
    return running_farm.client.submit_many(jobs)


def _await_first_pictures(handles: Sequence[JobHandle]) -> None:
    """Return in the middle of the run: some pictures are done, most are not."""
    for handle in handles[: _JOBS // 4]:
        handle.wait(timeout=_PATIENCE_S)


def test_killing_a_renderer_loses_and_doubles_nothing(
    running_farm: RunningFarm, renderer_pid: Callable[[str], int]
) -> None:
    """SIGKILL of a worker's child in the middle of a picture."""
    handles = _submit(running_farm)
    _await_first_pictures(handles)
    os.kill(renderer_pid(running_farm.farm.workers[0].name), signal.SIGKILL)
    for handle in handles:
        handle.wait(timeout=_PATIENCE_S)
    running_farm.assert_exactly_once(handles)


def test_killing_a_worker_parent_loses_and_doubles_nothing(running_farm: RunningFarm) -> None:
    """SIGKILL of a worker's parent; its renderer dies with it, its successor frees the leases."""
    handles = _submit(running_farm)
    _await_first_pictures(handles)
    running_farm.farm.workers[1].kill()
    for handle in handles:
        handle.wait(timeout=_PATIENCE_S)
    running_farm.assert_exactly_once(handles)


def test_killing_the_broker_loses_and_doubles_nothing(running_farm: RunningFarm) -> None:
    """SIGKILL of Valkey; it comes back with its append-only file while pictures are drawn."""
    handles = _submit(running_farm)
    _await_first_pictures(handles)
    running_farm.farm.services["valkey"].kill()
    running_farm.farm.services["valkey"].wait_ready(_PATIENCE_S)
    for handle in handles:
        handle.wait(timeout=_PATIENCE_S)
    running_farm.assert_exactly_once(handles)


@pytest.mark.case(19)
def test_a_broker_without_its_last_seconds_costs_no_picture_and_no_renderer(
    running_farm: RunningFarm, renderer_pid: Callable[[str], int], tmp_path: Path
) -> None:
    """It takes finished slices for unfinished; they end at once, not when they look stuck."""
    broker = running_farm.farm.services["valkey"]
    kept, earlier = broker.program.folder / "appendonlydir", tmp_path / "earlier"
    handles = _submit(running_farm)
    _await_first_pictures(handles)
    shutil.copytree(kept, earlier)
    renderers = [renderer_pid(worker.name) for worker in running_farm.farm.workers]
    for handle in handles:
        handle.wait(timeout=_PATIENCE_S)
    broker.kill()
    shutil.rmtree(kept)
    shutil.copytree(earlier, kept)
    broker.wait_ready(_PATIENCE_S)
    again = [running_farm.client.get(handle.id) for handle in handles]
    assert any(handle.status().state != "succeeded" for handle in again)
    for handle in again:
        handle.wait(timeout=STUCK_FLOOR_S / 2)
    running_farm.assert_exactly_once(again)
    assert [renderer_pid(worker.name) for worker in running_farm.farm.workers] == renderers


def test_killing_the_store_loses_and_doubles_nothing(running_farm: RunningFarm) -> None:
    """SIGKILL of SeaweedFS: the lane rests until it answers again, no attempt is counted."""
    handles = _submit(running_farm)
    _await_first_pictures(handles)
    running_farm.farm.services["seaweedfs"].kill()
    running_farm.farm.services["seaweedfs"].wait_ready(_PATIENCE_S)
    for handle in handles:
        handle.wait(timeout=_PATIENCE_S)
    running_farm.assert_exactly_once(handles)


@pytest.mark.case(28)
@pytest.mark.parametrize("marker", ["[[crash]]", "[[exit@4]]"])
def test_a_picture_that_kills_its_worker_is_given_up_and_its_neighbours_are_not(
    running_farm: RunningFarm, marker: str
) -> None:
    """Three crashes end the poisoned unit; the other units of the job and other jobs go on."""
    poisoned = running_farm.client.submit(
        TextToImage(prompt=f"poison {marker[:-2]}#12]]", n=4, num_inference_steps=_STEPS, seed=10)
    )
    beside = running_farm.client.submit(
        TextToImage(prompt="fine", num_inference_steps=_STEPS, seed=1)
    )
    beside.wait(timeout=_PATIENCE_S)
    with pytest.raises(Exception, match="1 of 4 pictures failed"):
        poisoned.wait(timeout=_PATIENCE_S)
    assert [output.unit for output in poisoned.result.outputs] == [0, 1, 3]
    assert [failure.unit for failure in poisoned.result.failures] == [2]
    running_farm.assert_exactly_once([beside])
