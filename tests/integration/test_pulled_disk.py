"""The disk of a machine that pulls: a budget, an order of leaving, and what a full one does."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.throwaway_models import (
    FP16,
    SMALL,
    ProgressRecorder,
    files,
    machine,
    manifest_of,
    place,
    push,
)

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault
from winepress_shared.stores.base import Store
from winepress_worker.conversion.preparation import prepare
from winepress_worker.report import ignore_progress

_BIN = "unet/openvino_model.bin"


def test_pulled_models_leave_in_the_order_of_their_last_use(
    store: Store, catalogue: Catalogue, guest: str, here: Path, there: Path
) -> None:
    """Not the one just used, not one in use, and never one that was prepared here."""
    a, b, c = (f"{guest[:58]}-{letter}" for letter in "abc")
    for name in (a, b, c, guest):
        push(store, place(here, name))
    place(there, guest, seed=1)
    budget = int(2.5 * sum(SMALL.values()))
    local_models = machine(there, catalogue, store, budget)
    for name in (guest, a, b, a):
        prepare(local_models, name, FP16, ignore_progress)
    local_models.warm([(a, FP16), (b, FP16)])
    local_models.warm([])
    assert prepare(local_models, c, FP16, ignore_progress)
    assert local_models.find(b, FP16) is None
    assert local_models.find(a, FP16)
    assert local_models.find(guest, FP16)
    other = machine(there, catalogue, store, budget)
    prepare(other, a, FP16, ignore_progress)
    other.warm([(a, FP16)])
    with pytest.raises(EnvironmentFault, match=r"exceed their disk budget.*pulled_gib"):
        prepare(local_models, b, FP16, ignore_progress)
    other.warm([])
    assert prepare(local_models, b, FP16, ignore_progress)
    assert local_models.find(a, FP16) is None


def test_a_full_disk_is_said_and_given_back(
    store: Store, catalogue: Catalogue, guest: str, here: Path, there: Path
) -> None:
    """Nothing half-made stays, nothing looks finished, and with room the pull works."""
    folder, local_models = place(here, guest), machine(there, catalogue, store)
    push(store, folder)
    manifest = manifest_of(folder)
    work = there / "models" / guest / ".pull-fp16"
    (work / ".partial").mkdir(parents=True)
    (work / ".partial" / manifest.files[_BIN].sha256).symlink_to("/dev/full")
    with pytest.raises(EnvironmentFault, match=r"cannot pull.*No space left"):
        prepare(local_models, guest, FP16, ignore_progress)
    assert not work.exists()
    assert local_models.find(guest, FP16) is None
    assert files(prepare(local_models, guest, FP16, ignore_progress).path) == files(folder)


def test_a_disk_too_small_is_said_before_fetching(
    store: Store,
    catalogue: Catalogue,
    guest: str,
    here: Path,
    there: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With what is missing and what there is."""
    push(store, place(here, guest))
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    progress = ProgressRecorder()
    with pytest.raises(EnvironmentFault, match=r"disk is too small: \d+ MiB to fetch, 0 MiB free"):
        prepare(machine(there, catalogue, store), guest, FP16, progress)
    assert progress.files == {}
