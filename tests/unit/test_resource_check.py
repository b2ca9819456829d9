"""What preparing takes is said and looked for before it is begun."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault
from winepress_shared.lane import Precision
from winepress_worker.conversion.preparation import prepare
from winepress_worker.machine_memory import free_memory
from winepress_worker.models import resource_check as resource_check_module
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Prepared
from winepress_worker.models.resource_check import Room
from winepress_worker.models.source import Source

GIB, FEW = 2**30, 4 * 2**20
MODEL = Catalogue.load().get("tiny-sd")
PREPARED = Prepared(Path(), MODEL.name, Precision.FP16, "0" * 16, GIB, 4)


def group(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"memory.{name}").write_text(text)
    return folder


def weights(folder: Path, size: int) -> Source:
    path = folder / "x.safetensors"
    with path.open("wb") as file:
        file.truncate(size)  # takes no room on the disk
    return Source({"unet/x.safetensors": path})


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:       9 kB\nMemAvailable:    1048576 kB\n")
    return path


def test_exporting_takes_more_disk_than_quantising_what_is_there(tmp_path: Path) -> None:
    """It leaves fp16 beside the result; memory is filled by the pictures compared, either way."""
    source = weights(tmp_path, GIB)
    for precision in (Precision.INT8_WEIGHTS, Precision.INT4_WEIGHTS):
        new, old = (Room.of(MODEL, precision, origin) for origin in (source, PREPARED))
        assert new.memory == old.memory > MODEL.memory_mib * 2**20
        assert new.disk > GIB
        assert 0.5 * GIB < old.disk < GIB
    assert "GiB of memory" in new.sentence


def test_a_smaller_network_than_the_entry_describes_needs_less(tmp_path: Path) -> None:
    """A folder may hold one; the catalogue's figure is for the published weights."""
    little, much = (
        Room.of(MODEL, Precision.FP16, weights(tmp_path, size)).memory for size in (FEW, 8 * GIB)
    )
    assert little < 2 * GIB < much


def test_machine_without_the_memory_is_told_both_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any weight is read, and with what else can be done."""
    monkeypatch.setattr(resource_check_module, "free_memory", lambda: GIB)
    with pytest.raises(
        EnvironmentFault, match=r"1\.0 GiB of free memory.*9\.5 GiB.*larger machine"
    ):
        Room(int(9.5 * GIB), 0).demand(tmp_path)
    Room(GIB, 0).demand(tmp_path)


def test_full_disk_is_noticed_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The local models refuses, and holds nothing that looks like a model."""
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=FEW))
    local_models = LocalModels(tmp_path, Catalogue.load())
    with pytest.raises(
        EnvironmentFault, match=r"disk has 4 MiB left, and this takes .* MiB.*models rm"
    ):
        prepare(local_models, "vignette", Precision.INT8, lambda message, fraction: None)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["int8.lock"]


def test_memory_of_a_container_is_its_limit(tmp_path: Path, meminfo: Path) -> None:
    """What is free is the least of machine and control group; pages it can drop are free."""
    assert free_memory(meminfo, tmp_path / "none") == GIB
    group(tmp_path, max="max\n", current="5\n", stat="inactive_file 3\n")
    assert free_memory(meminfo, tmp_path) == GIB
    group(tmp_path, max="1000\n", current="400\n", stat="anon 1\ninactive_file 100\n")
    assert free_memory(meminfo, tmp_path) == 700
    group(tmp_path, current="4000\n")
    assert free_memory(meminfo, tmp_path) == 0


def test_this_machine_has_some_memory() -> None:
    """The kernel's own files are read as they are."""
    assert free_memory() > 2**20
