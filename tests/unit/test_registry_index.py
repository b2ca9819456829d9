"""A worker knows what a published model needs before it has pulled a byte of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.throwaway_models import FP16, catalogue_of, manifest_of, place

from winepress_shared.documents import OffersDocument, read_document
from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_worker.models import registry_index
from winepress_worker.models.registry import ModelRegistry
from winepress_worker.models.registry_index import RegistryIndex
from winepress_worker.options import WorkerOptions
from winepress_worker.parent.served_lanes import ServedLanes
from winepress_worker.report import ignore_progress

LANE, GIB = "guest.fp16", 2**30


class Farm:
    """A store and one machine, which knows a guest that its catalogue takes for 1 MiB."""

    def __init__(self, folder: Path) -> None:
        catalogue_of(folder, "guest")
        self.settings = Settings(
            home=folder / "home",
            store_folder=folder / "store",
            catalogue=folder / "guests.toml",
        )
        self._folder = place(folder / "elsewhere", "guest", {"unet/openvino_model.xml": 10})
        self.registry = ModelRegistry(open_store(self.settings))
        self.index = RegistryIndex(self.settings)

    def publish(self, memory_bytes: int | None) -> None:
        """Push it, or push it anew."""
        manifest = manifest_of(self._folder).model_copy(update={"memory_bytes": memory_bytes})
        self.registry.push(manifest, self._folder, ignore_progress, replace=True)
        self.index.look(self.registry)

    def lanes(self, budget: int) -> ServedLanes:
        options = WorkerOptions("w", lanes=("guest.*",), engine="openvino", memory_budget=budget)
        return ServedLanes(options, self.settings)

    @property
    def list_file(self) -> Path:
        (file,) = self.settings.home.glob("*.json")
        return file


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    return Farm(tmp_path)


def test_the_manifest_says_what_is_too_large_and_not_the_catalogue(farm: Farm) -> None:
    """Nothing of the model is on this machine, and its lane is not offered."""
    farm.publish(2 * GIB)
    lanes = farm.lanes(GIB)
    with pytest.raises(WrongUsage, match="2GiB or more"):
        lanes.find()
    assert lanes.too_large == {LANE: 2 * GIB}
    assert LANE in farm.lanes(2 * GIB).find()


def test_a_model_that_is_pushed_anew_counts_by_its_new_manifest(farm: Farm) -> None:
    """Though its size is the same to the byte."""
    farm.publish(3 * GIB)
    farm.publish(2 * GIB)
    assert farm.index.memory_of("guest", FP16) == 2 * GIB
    assert RegistryIndex(farm.settings).memory_of("guest", FP16) == 2 * GIB


def test_a_manifest_that_does_not_say_leaves_it_to_the_catalogue(farm: Farm) -> None:
    """So does one that makes no sense, which is told when somebody pulls it."""
    farm.publish(None)
    assert LANE in farm.lanes(GIB).find()
    store = open_store(farm.settings)
    text = json.loads(store.get(f"models/manifests/{LANE}.json"))
    store.put(f"models/manifests/{LANE}.json", json.dumps(text | {"memory_bytes": -1}).encode())
    farm.index.look(farm.registry)
    assert LANE in farm.lanes(GIB).find()
    assert farm.index.memory_of("guest", FP16) is None


def test_the_list_is_parsed_once_for_all_models(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every few seconds a worker asks it about each model, and a store may offer thousands."""
    farm.publish(GIB)
    parsed: list[str] = []

    def count(form: type[OffersDocument], data: bytes, name: str) -> OffersDocument:
        parsed.append(name)
        return read_document(form, data, name)

    monkeypatch.setattr(registry_index, "read_document", count)
    lanes = farm.lanes(2 * GIB)
    assert LANE in lanes.find()
    assert LANE in lanes.find()
    assert len(parsed) == 1
    farm.publish(3 * GIB)
    with pytest.raises(WrongUsage, match="3GiB or more"):
        lanes.find()


def test_a_list_of_another_version_is_read_as_far_as_it_is_understood(farm: Farm) -> None:
    """A field or a precision more costs no other entry; one that is no list at all is made anew."""
    farm.publish(2 * GIB)
    listed = json.loads(farm.list_file.read_text())
    listed["offers"][0]["licence"] = "none"
    listed["offers"] += [{"lane": "guest.fp3"}, {"lane": "vignette.int8"}]
    farm.list_file.write_text(json.dumps(listed | {"made": "later"}))
    assert farm.index.memory_of("guest", FP16) == 2 * GIB
    assert [model for model, _ in farm.index.read()] == ["guest", "vignette"]
    farm.list_file.write_text('["guest.fp16"]')
    assert farm.index.read() == []
    farm.index.look(farm.registry)
    assert farm.index.memory_of("guest", FP16) == 2 * GIB


def test_a_manifest_is_read_once(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list is looked at every few seconds, and the store may be far away."""
    farm.publish(2 * GIB)
    monkeypatch.setattr(ModelRegistry, "find", None)
    farm.index.look(farm.registry)
    assert farm.index.memory_of("guest", FP16) == 2 * GIB
