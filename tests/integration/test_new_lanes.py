"""A worker serves what becomes ready while it runs, and drops what is removed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.worker_process import PATIENCE_S, WorkerProcess, await_condition

from winepress import Client, TextToImage
from winepress_shared.lane import Precision
from winepress_shared.settings import Settings
from winepress_worker.models.manifest import Manifest, record_files

_LANE = "custom.fp16"
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


@pytest.fixture
def settings(farm_settings: Settings, tmp_path: Path) -> Settings:
    """A farm whose catalogue knows one more model, which is not prepared."""
    (tmp_path / "models.toml").write_text(_PAINTER)
    more = {"catalogue": tmp_path / "models.toml", "home": tmp_path / "home"}
    return farm_settings.model_copy(update=more)


@pytest.fixture
def worker(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """``winepress worker`` with the fake engine."""
    with WorkerProcess(settings, tmp_path, "one"):
        yield


def test_a_model_prepared_later_is_served_without_a_restart_and_a_removed_one_is_not(
    settings: Settings, worker: None, tmp_path: Path
) -> None:
    """A job that waited for its model is drawn as soon as it is there."""
    with Client(settings) as client:

        def lanes() -> list[str]:
            return [lane for one in client.workers() for lane in one.facts["lanes"]]

        await_condition(lambda: "vignette.fp16" in lanes())
        handle = client.submit(TextToImage(prompt="a cat", model="custom", seed=1))
        assert handle.why_impossible is not None
        assert _LANE in handle.why_impossible

        folder = settings.home / "models" / "custom" / "fp16"
        making = tmp_path / "making"
        making.mkdir()
        (making / "unet").mkdir()
        (making / "unet" / "openvino_model.bin").write_bytes(b"x")
        Manifest(
            model="custom",
            precision=Precision.FP16,
            source="0",
            recipe={"export": "fp16"},
            versions={},
            channels=4,
            files=record_files(making),
        ).write(making)
        folder.parent.mkdir(parents=True)
        making.rename(folder)
        handle.wait(PATIENCE_S)
        await_condition(lambda: handle.is_possible and _LANE in lanes())

        shutil.rmtree(folder)
        await_condition(lambda: _LANE not in lanes())
        assert "vignette.fp16" in lanes()
