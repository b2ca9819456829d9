"""What one worker compiled, another with the same device loads without compiling."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.blob_machines import FP16, MODEL, BlobMachine

from winepress_shared.stores import open_store
from winepress_shared.stores.base import Store
from winepress_worker.conversion.preparation import prepare
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

    def make(name: str, **options: object) -> BlobMachine:
        chosen = WorkerOptions("test", **options)  # type: ignore[arg-type]
        return BlobMachine(tmp_path / name, local_models, store, chosen)

    return make


def test_an_alike_machine_loads_what_the_first_one_compiled(machine_of: MachineOf) -> None:
    """All parts come from blobs, are counted so, and draw the same picture, byte for byte."""
    first, second = machine_of("first"), machine_of("second")
    with first.loaded() as pipeline:
        (own,) = pipeline.render(pipeline.trial, ignore_steps)
    hits, parts = first.counts
    assert hits == 0
    assert first.offered == []
    first.offer()
    with second.loaded() as pipeline:
        (same,) = pipeline.render(pipeline.trial, ignore_steps)
    assert second.counts == (parts, 0)
    assert same.tobytes() == own.tobytes()
    assert [one.read_bytes() for one in second.held] == [one.read_bytes() for one in first.held]
