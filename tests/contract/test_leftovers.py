"""What killed transfers leave in a store is removed once it is old, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest

from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_shared.stores.base import Store
from winepress_shared.stores.folder import FolderStore
from winepress_shared.stores.s3_multipart import PART_BYTES
from winepress_worker.renderer import leftovers

_KEY = "jobs/j1/out/000003.mp4"
_DAY_S = 86_400.0


class Killed(Exception):
    """Ends a transfer."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of two parts."""
    path = tmp_path_factory.mktemp("films") / "film"
    path.write_bytes(os.urandom(PART_BYTES + 1000))
    return path


def _kill(monkeypatch: pytest.MonkeyPatch, store: Any, film: Path, key: str = _KEY) -> None:
    """Leave a transfer as a kill does: nobody tidies up after it."""

    def die(sent: int) -> None:
        raise Killed

    own = store._store
    with monkeypatch.context() as patch:
        if isinstance(own, FolderStore):
            patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(Killed):
            store.put_file(key, film, metadata={"a": "b"}, on_bytes=die)


def test_old_leftovers_are_removed_and_new_ones_may_be_going_on(
    store_settings: Settings, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only their age tells them from a transfer that is still going on."""
    store = open_store(store_settings)
    _kill(monkeypatch, store, film)
    assert store.clean("jobs/", _DAY_S) == 0
    assert store.clean("models/", -60) == 0
    assert store.clean("jobs/", -60) == 1
    assert store.clean("jobs/", -60) == 0
    assert store.put_file(_KEY, film, metadata={"a": "b"}, only_new=True)
    assert [one.key for one in store.list("jobs/j1/")] == [_KEY]
    store.delete(_KEY)


def test_a_worker_looks_where_workers_write(
    store_settings: Settings, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Films and pictures of jobs, and compiled blobs; the operator's pushes are not theirs."""
    store = open_store(store_settings)
    for key in (_KEY, "blobs/k/1.blob", "models/files/x"):
        _kill(monkeypatch, store, film, key)
    monkeypatch.setattr(leftovers, "OLD_S", -60.0)
    leftovers.Leftovers(store).remove()
    left = [store.clean(place, -60) for place in ("jobs/", "blobs/", "models/")]
    assert left == [0, 0, 1]


def test_a_finished_transfer_leaves_nothing_of_its_killed_predecessors(
    store_settings: Settings, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With metadata an upload begins afresh, so the old one would stay for ever."""
    store = open_store(store_settings)
    for _ in range(2):
        _kill(monkeypatch, store, film)
    assert store.put_file(_KEY, film, metadata={"a": "b"}, only_new=True)
    assert store.clean("jobs/", -60) == 0
    store.delete(_KEY)


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path, film: Path) -> None:
    """However slow its writer is."""
    store = cast("Store", FolderStore(tmp_path))
    looks: list[int] = []

    def look(sent: int) -> None:
        for path in tmp_path.rglob(".*"):
            os.utime(path, (1, 1))
        looks.append(store.clean("jobs/", 1))

    assert store.put_file(_KEY, film, on_bytes=look)
    assert set(looks) == {0}
