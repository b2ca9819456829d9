"""A folder of compiled blobs: what it fetches, offers, and makes of processes that died in it."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from winepress_shared.errors import StoreUnreachable
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_shared.stores.base import Store, ignore_bytes
from winepress_worker.blobs.blob_set import BlobSet
from winepress_worker.blobs.registry import MOST_BLOBS, BlobRegistry

KEY = "a" * 64
_MOST = 1000  #: bytes


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(Settings(store_folder=tmp_path / "store"))


@pytest.fixture
def blobs(tmp_path: Path, store: Store) -> BlobSet:
    return _blobs(tmp_path, store)


def _blobs(home: Path, store: Store) -> BlobSet:
    return BlobSet(home / KEY, "the unet of a model", _MOST, BlobRegistry(store))


def _put(store: Store, name: str, data: bytes, sha256: str = "") -> str:
    """Put a blob into the store; returns its key."""
    key = f"blobs/{KEY}/{name}-{sha256 or hashlib.sha256(data).hexdigest()}.blob"
    store.put(key, data)
    return key


def _open(blobs: BlobSet) -> dict[str, bytes]:
    """What OpenVINO finds."""
    with blobs.opened() as folder:
        assert folder
        return {path.name: path.read_bytes() for path in sorted(folder.glob("*.blob"))}


def test_what_the_store_has_is_there_when_openvino_looks(store: Store, blobs: BlobSet) -> None:
    """Whole, under the names that OpenVINO looks for, and nothing half fetched beside them."""
    _put(store, "1", b"one")
    _put(store, "22", b"two")
    assert _open(blobs) == {"1.blob": b"one", "22.blob": b"two"}


def test_the_store_is_asked_once(
    store: Store, blobs: BlobSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Later loads need no store, in this process and in the next."""
    _put(store, "1", b"one")
    _open(blobs)
    monkeypatch.setattr(BlobRegistry, "fetch", None)
    assert _open(blobs) == _open(_blobs(tmp_path, store)) == {"1.blob": b"one"}


def test_names_that_are_not_ours_are_passed_over(store: Store, blobs: BlobSet) -> None:
    """Whoever writes into the store chooses no file name on a worker."""
    digest = hashlib.sha256(b"x").hexdigest()
    for name in (
        f"x-{digest}.blob",
        f"1-{digest}.so",
        f"1/2-{digest}.blob",
        f"1-{digest[:-1]}.blob",
        f"{'1' * 21}-{digest}.blob",
        f"-{digest}.blob",
        "asked",
        "lock",
    ):
        store.put(f"blobs/{KEY}/{name}", b"x")
    assert _open(blobs) == {}


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-1], lambda data: data[:-1] + b"!", lambda data: data + b"!"]
)
def test_a_damaged_blob_is_not_imported(
    store: Store, blobs: BlobSet, caplog: pytest.LogCaptureFixture, spoil: Callable[[bytes], bytes]
) -> None:
    """Cut off, changed or longer: said once, others are taken, and nothing stays on the disk."""
    store.put(_put(store, "1", b"some blob"), spoil(b"some blob"))
    _put(store, "2", b"two")
    assert _open(blobs) == {"2.blob": b"two"}
    assert _open(blobs) == {"2.blob": b"two"}
    assert caplog.text.count("is damaged in the store") == 1


def test_more_than_a_bound_is_not_fetched(
    store: Store, blobs: BlobSet, caplog: pytest.LogCaptureFixture
) -> None:
    """A large blob, and many that are too much together."""
    _put(store, "1", bytes(_MOST + 1))
    _put(store, "2", bytes(_MOST - 10))
    _put(store, "3", bytes(11))
    _put(store, "4", bytes(10))
    assert list(_open(blobs)) == ["2.blob", "4.blob"]
    assert caplog.text.count("exceeds") == 2


def test_no_more_than_a_number_of_blobs_is_fetched(store: Store, blobs: BlobSet) -> None:
    """However small they are."""
    for number in range(MOST_BLOBS + 3):
        _put(store, str(number), b"x")
    assert len(_open(blobs)) == MOST_BLOBS


def test_a_store_that_is_away_costs_a_line_and_is_asked_at_the_next_load(
    store: Store,
    blobs: BlobSet,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compiling needs no store; for a minute the process does not ask it again."""
    _put(store, "1", b"one")

    def fail(*_: Any) -> Any:
        raise StoreUnreachable("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(BlobRegistry, "find", fail)
        assert _open(blobs) == {}
    assert caplog.text.count("no answer") == 1
    assert _open(blobs) == {}
    assert _open(_blobs(tmp_path, store)) == {"1.blob": b"one"}


def _die(tmp_path: Path, where: str) -> None:
    """Have a process killed while it reads blobs, or while it fetches them."""
    code = f"""
import os, signal, sys
from pathlib import Path
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_worker.blobs.blob_set import BlobSet
from winepress_worker.blobs.registry import BlobRegistry
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
store = open_store(Settings(store_folder=Path({str(tmp_path / "store")!r})))
blobs = BlobSet(Path({str(tmp_path / KEY)!r}), "it", {_MOST}, BlobRegistry(store))
{where}
"""
    ended = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL


def test_a_blob_that_a_process_died_of_is_never_read_again(
    store: Store, blobs: BlobSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is deleted and not fetched again, whoever killed the process: no crash comes twice."""
    _put(store, "1", b"one")
    _die(tmp_path, "with blobs.opened() as folder:\n    assert list(folder.glob('*.blob')); die()")
    assert (tmp_path / KEY / "1.blob").exists()
    assert _open(blobs) == {}
    assert _open(_blobs(tmp_path, store)) == {}
    assert caplog.text.count("a process died") == 1
    assert store.head(f"blobs/{KEY}/1-{hashlib.sha256(b'one').hexdigest()}.blob")


def test_a_process_that_dies_while_it_forgets_leaves_that_to_the_next(
    store: Store, blobs: BlobSet, tmp_path: Path
) -> None:
    """No moment lets a blob be read again that somebody died of."""
    _put(store, "1", b"one")
    _die(tmp_path, "with blobs.opened():\n    die()")
    _die(tmp_path, "Path.touch = die\nwith blobs.opened():\n    pass")
    _die(tmp_path, "Path.unlink = die\nwith blobs.opened():\n    pass")
    assert _open(blobs) == {}


@pytest.mark.parametrize("step", ["BlobRegistry._get", "Path.rename", "Path.touch"])
def test_a_killed_fetch_is_done_again(
    store: Store, blobs: BlobSet, tmp_path: Path, step: str
) -> None:
    """Nobody has read anything yet."""
    _put(store, "1", b"one")
    _put(store, "2", b"two")
    _die(tmp_path, f"{step} = die\nwith blobs.opened():\n    pass")
    assert _open(blobs) == {"1.blob": b"one", "2.blob": b"two"}
    assert not list((tmp_path / KEY).glob("*.part"))


def test_a_living_process_keeps_its_blobs_from_others_that_look(
    store: Store, blobs: BlobSet, tmp_path: Path
) -> None:
    """Two workers of one machine load the same model at the same time, and wait for nothing."""
    _put(store, "1", b"one")
    other = _blobs(tmp_path, store)
    with blobs.opened():
        assert _open(other) == {"1.blob": b"one"}
        assert not other.offer(ignore_bytes)
    assert _open(other) == {"1.blob": b"one"}
    assert other.offer(ignore_bytes)


def test_an_error_while_compiling_is_no_death(store: Store, blobs: BlobSet) -> None:
    """It passes through, and the blobs stay."""
    _put(store, "1", b"one")
    with pytest.raises(RuntimeError, match="no such node"), blobs.opened():
        raise RuntimeError("no such node")
    assert _open(blobs) == {"1.blob": b"one"}


def test_a_refused_blob_is_told_of_once(
    store: Store, blobs: BlobSet, caplog: pytest.LogCaptureFixture
) -> None:
    """OpenVINO puts what it compiled in its place."""
    _put(store, "1", b"one")
    with blobs.opened() as folder:
        assert folder
        (folder / "1.blob").unlink()
        (folder / "1.blob").write_bytes(b"own")
    assert _open(blobs) == {"1.blob": b"own"}
    assert caplog.text.count("refused the fetched blob") == 1


def test_what_was_compiled_is_offered_once_and_by_its_hash(
    store: Store, blobs: BlobSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another machine of the kind sends nothing, whatever it compiled."""
    for machine, data in ((blobs, b"own"), (_blobs(tmp_path / "other", store), b"another's")):
        with machine.opened() as folder:
            assert folder
            (folder / "1.blob").write_bytes(data)
        assert machine.offer(ignore_bytes)
    digest = hashlib.sha256(b"own").hexdigest()
    assert [one.key for one in store.list("blobs/")] == [f"blobs/{KEY}/1-{digest}.blob"]


def test_too_much_is_not_offered(store: Store, blobs: BlobSet) -> None:
    """Nobody would fetch it."""
    with blobs.opened() as folder:
        assert folder
        (folder / "1.blob").write_bytes(bytes(_MOST + 1))
    assert blobs.offer(ignore_bytes)
    assert not list(store.list("blobs/"))


def test_a_file_in_the_place_of_the_folder_compiles(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the disk says, the model is loaded."""
    (tmp_path / KEY).write_bytes(b"")
    with _blobs(tmp_path, store).opened() as folder:
        assert folder is None
    assert "compiled without blobs" in caplog.text


def test_threads_may_open_one_folder_at_once(store: Store, blobs: BlobSet) -> None:
    """A model is loaded ahead while another one, with the same text encoder, is loaded."""
    _put(store, "1", b"one")
    found: list[dict[str, bytes]] = []
    threads = [threading.Thread(target=lambda: found.append(_open(blobs))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{"1.blob": b"one"}] * 4
