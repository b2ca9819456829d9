"""Models of no use for drawing, to be pushed and pulled: a catalogue, a machine, a store."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from pathlib import Path

from winepress_shared.catalogue import Catalogue
from winepress_shared.lane import Precision
from winepress_shared.model import Model
from winepress_shared.stores.base import Store
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Manifest, record_files
from winepress_worker.models.registry import ModelRegistry

FP16 = Precision.FP16
SMALL = {"unet/openvino_model.xml": 1000, "unet/openvino_model.bin": 1_000_000}

#: A catalogue entry of a model that cannot be made here.
ENTRY = """
["{name}"]
title = "A guest"
source = "hub:nobody/{name}"
family = "stable-diffusion"
kinds = ["text-to-image"]
precisions = ["fp16"]
width = 64
height = 64
size_multiple = 64
num_inference_steps = 2
guidance_scale = 1.0
scheduler = "ddim"
licence = "none"
memory_mib = 1
"""


class Killed(Exception):
    """What ends a transfer in these tests where a kill would."""


class ProgressRecorder:
    """A `Report` that records messages, and may end the work."""

    def __init__(self, end: float = 2.0) -> None:
        self.files: dict[str, float] = {}  #: message → fraction at its first report
        self._end = end

    def __call__(self, message: str, fraction: float) -> None:
        self.files.setdefault(message, fraction)
        if fraction >= self._end:
            raise Killed


def catalogue_of(folder: Path, *names: str) -> Catalogue:
    """The built-in catalogue and guests of these names."""
    file = folder / "guests.toml"
    file.write_text("".join(ENTRY.format(name=name) for name in names))
    return Catalogue.load(file)


def machine(
    home: Path, catalogue: Catalogue, store: Store | None = None, budget_bytes: int = 2**40
) -> LocalModels:
    """The local models of one machine, which pulls from ``store``."""
    return LocalModels(home, catalogue, ModelRegistry(store) if store else None, budget_bytes)


def place(home: Path, name: str, sizes: Mapping[str, int] = SMALL, seed: int = 0) -> Path:
    """Put a prepared model of random bytes below ``home``; returns its folder."""
    folder = home / "models" / name / "fp16"
    for number, (file, size) in enumerate(sizes.items()):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(random.Random(f"{name}{seed}{number}").randbytes(size))
    return record(folder, name)


def copy(folder: Path, home: Path, model: Model) -> Path:
    """Put the prepared model in ``folder`` below ``home``, as that of ``model``."""
    target = home / "models" / model.name / "fp16"
    shutil.copytree(folder, target)
    (target / "manifest.json").unlink()
    return record(target, model.name)


def record(folder: Path, name: str) -> Path:
    """Write the manifest of what lies in ``folder``; returns it."""
    Manifest(
        model=name,
        precision=FP16,
        source="0",
        recipe={"export": "fp16"},
        versions={},
        channels=4,
        files=record_files(folder),
    ).write(folder)
    return folder


def push(
    store: Store, folder: Path, progress: ProgressRecorder | None = None, *, replace: bool = False
) -> int:
    return ModelRegistry(store).push(
        manifest_of(folder), folder, progress or ProgressRecorder(), replace=replace
    )


def manifest_of(folder: Path) -> Manifest:
    """What a prepared model says of itself."""
    manifest = Manifest.read(folder)
    assert manifest
    return manifest


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
