"""A worker draws with a model that was pushed while it ran, and that its machine never had."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.servers import scrubbed_environment
from support.throwaway_models import ENTRY, FP16, copy, manifest_of

from winepress import Client, TextToImage
from winepress_shared.catalogue import Catalogue
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_worker.conversion.preparation import prepare
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Manifest
from winepress_worker.models.registry import ModelRegistry
from winepress_worker.report import ignore_progress

_PATIENCE_S = 120


@pytest.fixture
def settings(farm_settings: Settings, tmp_path: Path) -> Settings:
    """A farm whose catalogue knows a guest, which no machine can prepare; its home is empty."""
    (tmp_path / "guests.toml").write_text(ENTRY.format(name="guest"))
    more = {"catalogue": tmp_path / "guests.toml", "home": tmp_path / "home"}
    return farm_settings.model_copy(update=more)


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    return scrubbed_environment() | {
        "WINEPRESS_FARM": settings.farm,
        "WINEPRESS_BROKER_URL": settings.broker_url.get_secret_value(),
        "WINEPRESS_STORE_FOLDER": str(settings.store_folder),
        "WINEPRESS_CATALOGUE": str(settings.catalogue),
        "WINEPRESS_HOME": str(settings.home),
    }


@pytest.fixture
def worker(environment: dict[str, str], tmp_path: Path) -> Iterator[None]:
    """``winepress worker`` as it is started on a machine."""
    command = [sys.executable, "-m", "winepress", "worker", "--name", "one"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    yield
    process.terminate()
    try:
        process.wait(_PATIENCE_S)
    finally:
        process.kill()


@pytest.mark.usefixtures("worker")
def test_a_pushed_model_is_pulled_and_drawn_with(
    settings: Settings, environment: dict[str, str], local_models: LocalModels, tmp_path: Path
) -> None:
    """The job waited for it; afterwards the list says published, here, and warm on the worker."""
    guest = Catalogue.load(settings.catalogue).get("guest")
    with Client(settings) as client:
        job = TextToImage(prompt="a red apple", model="guest", seed=1)
        handle = client.submit(job)
        vignette = prepare(local_models, "vignette", FP16, ignore_progress)
        folder = copy(vignette.path, tmp_path / "elsewhere", guest)
        manifest = manifest_of(folder)
        ModelRegistry(open_store(settings)).push(manifest, folder, ignore_progress, replace=False)
        (image,) = handle.wait(_PATIENCE_S).images
    assert image.size == (64, 64)
    assert Manifest.read(settings.home / "models" / "guest" / "fp16") == manifest
    listing = subprocess.run(
        [sys.executable, "-m", "winepress", "models", "list"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    head, *lines = listing.stdout.splitlines()
    (line,) = [line for line in lines if line.startswith("guest")]
    assert re.match(r"[\d.]+ MiB, store  ", line[head.index("FP16") :])
    assert re.match(r"one \(fp16\)  ", line[head.index("WARM ON") :])
