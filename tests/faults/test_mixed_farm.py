"""A worker whose surroundings keep it from serving a lane leaves it to the others."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from support.command_line import WINEPRESS, environment
from support.local_worker import small_zoom
from support.running_farm import assert_exactly_once
from support.servers import S3Server
from support.worker_process import PATIENCE_S, WorkerProcess, await_condition

from winepress import Client, JobHandle, TextToImage
from winepress_shared.lane import FILM, Precision
from winepress_shared.ledger.records import Worker
from winepress_shared.settings import Settings
from winepress_worker.models.manifest import Manifest, record_files

LANE = "vignette.fp16"
GIB = 2**30
_LARGE_MODEL = f"fake:footprint_bytes={2 * GIB}"
_SMALL, _LARGE = ("--memory-budget", "1GiB"), ("--memory-budget", "4GiB")
_LEAST_FILM_BYTES = 1000
_WEIGHTS = Path("unet") / "openvino_model.bin"
_PAINTER = """
["custom"]
title = "KeyFrameRenderer"
source = "hub:nobody/custom"
family = "stable-diffusion"
kinds = ["text-to-image"]
precisions = ["fp16"]
width = 64
height = 64
num_inference_steps = 2
guidance_scale = 1.0
scheduler = "ddim"
licence = "none"
memory_mib = 1
"""


def submit(client: Client, count: int, model: str = "vignette") -> Sequence[JobHandle]:
    return [client.submit(TextToImage(prompt=f"{n}", n=3, model=model)) for n in range(count)]


def the_worker(client: Client, name: str) -> Worker | None:
    return next((worker for worker in client.workers() if worker.name == name), None)


def is_unfit(client: Client, name: str, model: str) -> bool:
    worker = the_worker(client, name)
    return worker is not None and model in worker.unfit


def assert_drawn_by(client: Client, handles: Sequence[JobHandle], name: str) -> None:
    """Every picture at its first attempt."""
    for handle in handles:
        handle.wait(PATIENCE_S)
    assert_exactly_once(client, handles)
    outputs = [output for handle in handles for output in handle.result.outputs]
    assert {(output.worker, output.attempts) for output in outputs} == {(name, 1)}


def test_of_two_workers_the_one_that_can_hold_the_model_draws_it(
    farm_settings: Settings, client: Client, tmp_path: Path
) -> None:
    """The other one never offers its lane, and says what the model needs."""
    with WorkerProcess(farm_settings, tmp_path, "small", _LARGE_MODEL, *_SMALL):
        await_condition(lambda: bool(getattr(the_worker(client, "small"), "too_large", None)))
        with WorkerProcess(farm_settings, tmp_path, "large", _LARGE_MODEL, *_LARGE):
            await_condition(lambda: the_worker(client, "large") is not None)
            assert_drawn_by(client, submit(client, 4), "large")
            small = the_worker(client, "small")
            assert small is not None
            assert not small.serves(LANE)
            assert small.too_large[LANE] == 2 * GIB
            assert client.lanes.parked(LANE) is None


def test_where_no_worker_can_hold_the_model_whoever_waits_is_told_and_then_served(
    farm_settings: Settings, client: Client, tmp_path: Path
) -> None:
    """The command names what is needed while it waits, and goes on as soon as one can."""
    with WorkerProcess(farm_settings, tmp_path, "small", _LARGE_MODEL, *_SMALL):
        await_condition(lambda: bool(getattr(the_worker(client, "small"), "too_large", None)))
        (handle,) = submit(client, 1)
        assert not handle.is_possible
        told = "vignette.fp16 needs 2.0 GiB of memory"
        assert told in handle.explain()
        with subprocess.Popen(
            [WINEPRESS, "wait", handle.id],
            env=environment(farm_settings),
            stderr=subprocess.PIPE,
            text=True,
        ) as waiting:
            assert waiting.stderr
            line = waiting.stderr.readline()
            assert told in line
            assert "--memory-budget 2GiB" in line
            with WorkerProcess(farm_settings, tmp_path, "large", _LARGE_MODEL, *_LARGE):
                waiting.communicate(timeout=PATIENCE_S)
        assert waiting.returncode == 0
        assert_drawn_by(client, [handle], "large")


@pytest.mark.parametrize("fault", ["environment", "retry"])
def test_a_device_that_cannot_compile_what_a_processor_can_leaves_it_the_lane(
    farm_settings: Settings, client: Client, tmp_path: Path, fault: str
) -> None:
    """Whatever the device says of it: no job has asked for anything while a model is loaded."""
    broken = ("npu", f"fake:load_fault={fault}", "--device", "NPU=CPU")
    with WorkerProcess(farm_settings, tmp_path, *broken):
        await_condition(lambda: the_worker(client, "npu") is not None)
        handles = submit(client, 3)
        await_condition(lambda: is_unfit(client, "npu", LANE))
        assert "npu: " in str(handles[0].why_impossible)
        assert client.lanes.parked(LANE) is None
        with WorkerProcess(farm_settings, tmp_path, "cpu"):
            assert_drawn_by(client, handles, "cpu")


@pytest.mark.case(44)
def test_a_disk_that_is_full_for_one_worker_is_not_full_for_the_other(
    farm_settings: Settings, client: Client, tmp_path: Path
) -> None:
    """The film waits for a worker that can write it, not for a rest of its lane."""
    with WorkerProcess(farm_settings, tmp_path, "full"):
        await_condition(lambda: "pid" in getattr(the_worker(client, "full"), "renderer", {}))
        full = the_worker(client, "full")
        assert full is not None
        renderer = psutil.Process(full.renderer["pid"])
        zoom = client.submit(small_zoom()).wait(PATIENCE_S)
        limits = (_LEAST_FILM_BYTES, resource.RLIM_INFINITY)
        renderer.rlimit(psutil.RLIMIT_FSIZE, limits)
        film = client.recut(zoom.id)
        await_condition(lambda: is_unfit(client, "full", FILM))
        assert "full: cannot write the film" in str(film.why_impossible)
        with WorkerProcess(farm_settings, tmp_path, "roomy"):
            film.wait(PATIENCE_S)
        assert film.film is not None
        assert film.film.worker == "roomy"


def test_a_worker_whose_key_the_store_refuses_leaves_its_lanes_to_the_others(
    farm_settings: Settings, s3_server: S3Server, tmp_path: Path
) -> None:
    """Its lanes do not rest, for the store serves everybody else; the reason names no secret."""
    broker = {"farm": farm_settings.farm, "broker_url": farm_settings.broker_url}
    right, wrong = (
        s3_server.settings(**broker, **key)
        for key in ({}, {"s3_secret_access_key": "wrong-and-secret"})
    )
    with Client(right) as client, WorkerProcess(wrong, tmp_path, "locked-out"):
        await_condition(lambda: the_worker(client, "locked-out") is not None)
        handles = submit(client, 3)
        await_condition(lambda: is_unfit(client, "locked-out", LANE))
        reason = str(handles[0].why_impossible)
        assert "locked-out: the S3 store" in reason
        assert "refuses the credentials" in reason
        assert "wrong-and-secret" not in reason
        assert client.lanes.parked(LANE) is None
        with WorkerProcess(right, tmp_path, "let-in"):
            assert_drawn_by(client, handles, "let-in")
            assert client.lanes.parked(LANE) is None


@pytest.mark.case(43)
def test_a_model_damaged_on_one_machine_is_drawn_on_another(
    farm_settings: Settings, tmp_path: Path
) -> None:
    """No hub gives the damaged worker another copy; once the files change it tries again."""
    (tmp_path / "models.toml").write_text(_PAINTER)
    model = Path("models") / "custom" / "fp16"
    homes = {name: tmp_path / name for name in ("damaged", "whole")}
    for home in homes.values():
        place_model(home / model)
    (homes["damaged"] / model / _WEIGHTS).write_bytes(b"y")
    farms = {
        name: farm_settings.model_copy(update={"home": home, "catalogue": tmp_path / "models.toml"})
        for name, home in homes.items()
    }
    flags = ("openvino", "--lanes", "custom.*")
    with (
        Client(farms["whole"]) as client,
        WorkerProcess(farms["damaged"], tmp_path, "damaged", *flags, hub="http://127.0.0.1:9"),
    ):
        handles = submit(client, 2, "custom")
        await_condition(lambda: is_unfit(client, "damaged", "custom.fp16"))
        assert "hub" in str(handles[0].why_impossible)
        with WorkerProcess(farms["whole"], tmp_path, "whole", "fake"):
            assert_drawn_by(client, handles, "whole")


def place_model(folder: Path) -> None:
    """Something that is a prepared model by all that can be told without loading it."""
    weights = folder / _WEIGHTS
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"x")
    files = record_files(folder)
    Manifest(
        model="custom",
        precision=Precision.FP16,
        source="0",
        recipe={"export": "fp16"},
        versions={},
        channels=4,
        files=files,
    ).write(folder)
