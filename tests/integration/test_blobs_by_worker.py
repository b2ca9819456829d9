"""Workers of two machines share what one of them compiled, if their settings say so."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.blob_machines import FP16, MODEL
from support.worker_process import PATIENCE_S, WorkerProcess

from winepress import Client, TextToImage
from winepress_shared.polling import poll
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_worker.conversion.preparation import prepare
from winepress_worker.models.local_models import LocalModels
from winepress_worker.report import ignore_progress

_WAIT_S = 4 * PATIENCE_S
_PARTS = 3  #: text encoder, UNet, decoder


def _draw(settings: Settings, folder: Path, name: str, *, blobs: int) -> str:
    """Draw one picture with a new worker, wait for ``blobs`` in the store; returns its log."""
    store = open_store(settings)
    with WorkerProcess(settings, folder, name, "openvino"), Client(settings) as client:
        client.submit(TextToImage(prompt="a fox", num_inference_steps=1)).wait(_WAIT_S)
        assert poll(
            lambda: len(list(store.list("blobs/"))) == blobs, every_s=0.2, timeout_s=_WAIT_S
        )
    return (folder / f"{name}.log").read_text()


def _machine(settings: Settings, models: LocalModels, home: Path, *, share_blobs: bool) -> Settings:
    shutil.copytree(
        prepare(models, MODEL, FP16, ignore_progress).path, home / "models/vignette/fp16"
    )
    return settings.model_copy(update={"home": home, "share_blobs": share_blobs})


def test_a_second_worker_loads_what_the_first_compiled(
    farm_settings: Settings,
    local_models: LocalModels,
    tmp_path: Path,
) -> None:
    """Offered once the worker has nothing to draw, fetched at the first load."""
    one, two = (
        _machine(farm_settings, local_models, tmp_path / name, share_blobs=True)
        for name in ("a", "b")
    )
    assert _draw(one, tmp_path, "one", blobs=_PARTS).count("offered a blob") == _PARTS
    log = _draw(two, tmp_path, "two", blobs=_PARTS)
    assert (log.count("fetched 1 blobs"), log.count("offered a blob")) == (_PARTS, 0)


def test_without_the_setting_nothing_is_offered_or_fetched(
    farm_settings: Settings, local_models: LocalModels, tmp_path: Path
) -> None:
    """Blobs are programs to import: an administrator has to want that."""
    machine = _machine(farm_settings, local_models, tmp_path / "a", share_blobs=False)
    log = _draw(machine, tmp_path, "one", blobs=0)
    assert "blob" not in log
    assert not (machine.home / "blobs" / "shared").exists()
