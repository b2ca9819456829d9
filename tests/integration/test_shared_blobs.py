"""What one worker compiled, another with the same device loads without compiling."""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openvino
import pytest
from support.blob_machines import FP16, MODEL, BlobMachine

from winepress_shared.errors import StoreUnreachable
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_shared.stores.base import Store
from winepress_worker.conversion.preparation import prepare
from winepress_worker.engines import devices
from winepress_worker.engines.base import ignore_steps
from winepress_worker.models.local_models import LocalModels
from winepress_worker.options import WorkerOptions
from winepress_worker.report import ignore_progress

if TYPE_CHECKING:
    from support.servers import S3Server

MachineOf = Callable[..., BlobMachine]


@pytest.fixture
def store(s3_server: S3Server) -> Store:
    """A real S3 store, and a farm of this test alone in it."""
    return open_store(s3_server.settings(farm=f"t{secrets.token_hex(6)}"))


@pytest.fixture
def machine_of(store: Store, local_models: LocalModels, tmp_path: Path) -> MachineOf:
    """Makes a machine of this name, and of these options of a worker."""
    prepare(local_models, MODEL, FP16, ignore_progress)

    def make(name: str, store: Store = store, **options: Any) -> BlobMachine:
        chosen = WorkerOptions("test", **options)
        return BlobMachine(tmp_path / name, local_models, store, chosen)

    return make


def _drawn(machine: BlobMachine) -> bytes:
    """The trial picture, drawn after a load."""
    with machine.loaded() as pipeline:
        assert pipeline.trial
        (picture,) = pipeline.render(pipeline.trial, ignore_steps)
    return picture.tobytes()


@pytest.fixture
def offered(machine_of: MachineOf, store: Store) -> dict[str, bytes]:
    """What a machine called ``first`` has compiled and offered: key → content."""
    first = machine_of("first")
    first.load()
    first.offer()
    return {key: store.get(key) for key in first.offered}


def test_an_alike_machine_loads_what_the_first_one_compiled(machine_of: MachineOf) -> None:
    """All parts come from blobs, are counted so, and draw the same picture, byte for byte."""
    first, second = machine_of("first"), machine_of("second")
    own = _drawn(first)
    hits, parts = first.counts
    assert (hits, first.offered) == (0, [])
    first.offer()
    assert _drawn(second) == own
    assert second.counts == (parts, 0)
    assert [one.read_bytes() for one in second.held] == [one.read_bytes() for one in first.held]
    second.offer()
    assert len(second.offered) == parts


def test_a_device_of_fixed_shapes_takes_those_that_others_drew(machine_of: MachineOf) -> None:
    """Its parts are compiled when a picture is drawn, for each size."""
    first, second = machine_of("first", device="NPU=CPU"), machine_of("second", device="NPU=CPU")
    own = _drawn(first)
    first.offer()
    assert _drawn(second) == own
    assert second.counts == (first.counts[1], 0)


def test_another_arithmetic_or_device_takes_nothing(
    machine_of: MachineOf, offered: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It compiles, and offers its own beside the others."""
    exact = machine_of("exact", precision_hints=("f32",))
    hits, parts = exact.load()
    assert (hits, parts) == (0, len(offered))
    exact.offer()
    assert len(exact.offered) == 2 * parts
    other = machine_of("other")
    monkeypatch.setattr(devices, "traits_of", lambda *_: ("another processor",))
    assert other.load() == (0, parts)


@pytest.mark.parametrize("spoil", [lambda data: data[:-9], lambda data: bytes(9) + data[9:]])
def test_damaged_blobs_lead_to_compiling(
    machine_of: MachineOf,
    store: Store,
    offered: dict[str, bytes],
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[bytes], bytes],
) -> None:
    """Cut off or changed in the store: said once for each part, and never imported."""
    for key, data in offered.items():
        store.put(key, spoil(data))
    second = machine_of("second")
    assert second.load() == (0, len(offered))
    assert caplog.text.count("is damaged in the store") == len(offered)
    assert second.load() == (len(offered), 0)


def test_what_openvino_refuses_leads_to_compiling(
    machine_of: MachineOf,
    store: Store,
    offered: dict[str, bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Blobs with the right hash and nothing in them, of another version, or half."""
    version, other = openvino.get_version().encode(), b"2020.1.0"
    spoilers: tuple[Callable[[bytes], bytes], ...] = (
        lambda data: b"",
        lambda data: data.replace(version, other),
        lambda data: data[: len(data) // 2],
    )
    for (key, data), spoil in zip(offered.items(), spoilers, strict=True):
        store.delete(key)
        digest = hashlib.sha256(spoil(data)).hexdigest()
        store.put(f"{key.rpartition('-')[0]}-{digest}.blob", spoil(data))
    second = machine_of("second")
    assert second.load() == (0, len(offered))
    assert caplog.text.count("OpenVINO refused the fetched blob") == len(offered)
    assert second.load() == (len(offered), 0)
    assert _drawn(second) == _drawn(machine_of("third"))


def test_a_store_that_is_away_leads_to_compiling(
    machine_of: MachineOf, s3_server: S3Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Said once for all parts."""
    lonely = machine_of("lonely", store=open_store(s3_server.settings(s3_bucket="nobodys")))
    hits, parts = lonely.load()
    assert hits == 0
    assert caplog.text.count("blobs were not fetched") == 1
    with pytest.raises(StoreUnreachable):
        lonely.offer()
    assert lonely.load() == (parts, 0)


_DYING = """
import os, signal, sys
from pathlib import Path
from support.blob_machines import BlobMachine
from winepress_shared.catalogue import Catalogue
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_worker.engines import compiled_parts
from winepress_worker.models.local_models import LocalModels

compiled_parts.core = lambda: os.kill(os.getpid(), signal.SIGKILL)
home, folder = map(Path, sys.argv[1:])
models = LocalModels(home, Catalogue.load())
BlobMachine(home, models, open_store(Settings(store_folder=folder))).load()
"""


def test_a_renderer_that_dies_importing_compiles_the_next_time(
    machine_of: MachineOf, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The part at which it died; others are still taken, and nothing is fetched twice."""
    store = open_store(Settings(store_folder=tmp_path / "store"))
    first, second = (machine_of(name, store=store) for name in ("first", "second"))
    _, parts = first.load()
    first.offer()
    command = [sys.executable, "-c", _DYING, str(second.home), str(tmp_path / "store")]
    path = os.pathsep.join(sys.path)
    died = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=False)
    assert died.returncode == -signal.SIGKILL
    assert len(second.held) == 1
    assert second.load() == (parts - 1, 1)
    assert caplog.text.count("a process died") == 1
    assert second.load() == (parts, 0)


def test_fewer_instructions_make_another_device() -> None:
    """Under a ceiling oneDNN computes by other kernels, on a processor of the same name."""
    code = "from winepress_worker.engines.devices import traits_of; print(traits_of('CPU', 'f32'))"
    found = []
    for ceiling in ("SSE41", "AVX2"):
        environment = os.environ | {"ONEDNN_MAX_CPU_ISA": ceiling}
        asked = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, check=True
        )
        found.append(asked.stdout)
    assert len(set(found)) == 2


def test_python_cannot_ask_openvino_whether_a_blob_fits() -> None:
    """Why equal requirements are asked for; when this fails, `traits_of` may ask instead."""
    asked = {"RUNTIME_REQUIREMENTS": "meta=1.0"}
    with pytest.raises(TypeError, match="Unable to convert"):
        devices.core().get_property("CPU", "COMPATIBILITY_CHECK", asked)


def test_a_device_that_cannot_be_asked_compiles(
    machine_of: MachineOf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is loaded as without sharing, and offers nothing."""

    def fail(*_: Any) -> Any:
        raise RuntimeError("no such property")

    machine = machine_of("odd")
    monkeypatch.setattr(devices, "traits_of", fail)
    hits, parts = machine.load()
    assert (hits, machine.load()) == (0, (parts, 0))
    machine.offer()
    assert machine.offered == []
    assert "no such property" in caplog.text


def test_a_device_that_openvino_chooses_shares_nothing() -> None:
    """Nobody knows beforehand which one it will be."""
    assert devices.traits_of("AUTO:CPU", "") is None
