"""Several workers on one machine: each takes only what its device may, and all share its memory."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.running_farm import RunningFarm, wait_until

from winepress import Client, TextToImage
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_shared.lane import Precision
from winepress_shared.ledger.records import Worker

_PATIENCE_S = 240
_MODEL_BYTES = 100
_BUDGET_BYTES = 350  #: of the machine: three and a half models, two of them pinned


@pytest.fixture(scope="module")
def running_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFarm]:
    """One worker on the CPU and one on the CPU as an NPU, with a model pinned in each."""
    flags = ("--host-budget", str(_BUDGET_BYTES), "--pin", "vignette", "--idle-unload", "1")
    options = FarmOptions(
        state=tmp_path_factory.mktemp("farm"),
        devices=("CPU", "NPU=CPU"),
        flower=False,
        engine=f"fake:step_s=0.002,footprint_bytes={_MODEL_BYTES}",
        worker_flags=(*flags, "--cores", str(min(os.sched_getaffinity(0)))),
    )
    with Farm(options) as farm, Client(farm.settings) as client:
        yield RunningFarm(farm, client)


def _worker(running_farm: RunningFarm, device: str) -> Worker:
    (found,) = [w for w in running_farm.client.workers() if w.facts["device"] == device]
    return found


def test_two_workers_aliased_as_npu_and_cpu_each_take_only_what_they_may(
    running_farm: RunningFarm,
) -> None:
    """Jobs pinned to a kind of device are drawn by it alone, the others by whoever is free."""
    names = {"CPU": _worker(running_farm, "CPU").name, "NPU": _worker(running_farm, "NPU=CPU").name}
    pinned = {
        device: [
            running_farm.client.submit(TextToImage(prompt=f"{device} {n}", n=5, device=device))
            for n in range(3)
        ]
        for device in ("CPU", "NPU")
    }
    free = [running_farm.client.submit(TextToImage(prompt=f"any {n}", n=5)) for n in range(3)]
    for device, handles in pinned.items():
        for handle in handles:
            drawn_by = {output.worker for output in handle.wait(_PATIENCE_S).result.outputs}
            assert drawn_by == {names[device]}
    for handle in free:
        handle.wait(_PATIENCE_S)
    running_farm.assert_exactly_once([*free, *pinned["CPU"], *pinned["NPU"]])


def test_a_job_for_a_device_nobody_has_waits_and_is_told_why(running_farm: RunningFarm) -> None:
    """It is accepted, and drawn by nobody in the meantime."""
    handle = running_farm.client.submit(TextToImage(prompt="gpu only", device="GPU"))
    assert "no live worker serves vignette.fp16@GPU" in running_farm.client.explain(handle.id)
    handle.cancel()


def test_what_is_pinned_is_warm_from_the_start_and_renderers_keep_to_their_cores(
    running_farm: RunningFarm,
) -> None:
    """Nobody has to ask for it first; the parent may use every core."""
    workers = running_farm.client.workers()
    assert len(workers) == 2
    for worker in workers:
        assert "vignette.fp16" in worker.renderer["warm"]
        renderer = psutil.Process(worker.renderer["pid"])
        assert renderer.cpu_affinity() == [min(os.sched_getaffinity(0))]


def _held(folder: Path) -> int:
    """What the books of the machine say is held in all; read as any worker reads them."""
    rows = []
    for path in folder.glob("*.json"):
        try:
            rows.append(json.loads(path.read_text("utf-8")))
        except ValueError:  # it is being written just now
            return 0
    return sum(row["held"] for row in rows)


def test_workers_of_one_machine_keep_one_budget_together(running_farm: RunningFarm) -> None:
    """Each could load a second model, and there is room for one: never more is held."""
    folder = running_farm.farm.settings.home / "memory" / socket.gethostname()
    sums: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.002):
            sums.append(_held(folder))

    watcher = threading.Thread(target=look)
    watcher.start()
    jobs = [
        TextToImage(prompt=f"{precision} {n}", precision=precision, num_inference_steps=2)
        for n in range(6)
        for precision in (Precision.FP16, Precision.INT8_WEIGHTS)
    ]
    handles = running_farm.client.submit_many(jobs)
    for handle in handles:
        handle.wait(_PATIENCE_S)
    over.set()
    watcher.join()
    running_farm.assert_exactly_once(handles)
    assert 3 * _MODEL_BYTES <= max(sums) <= _BUDGET_BYTES


def test_what_is_idle_is_unloaded_and_what_is_pinned_is_not(running_farm: RunningFarm) -> None:
    """A second after its last picture only the pinned model is left, and the farm knows it."""
    job = TextToImage(prompt="idle", precision=Precision.INT8_WEIGHTS, num_inference_steps=1)
    running_farm.client.submit(job).wait(_PATIENCE_S)

    def only_pinned() -> bool:
        warm = [worker.renderer["warm"] for worker in running_farm.client.workers()]
        return warm == [["vignette.fp16"]] * 2

    wait_until(only_pinned)
