"""What a farm does so that a power cut takes little of its store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from winepress_deploy.services.store_disk import StoreSync, trim_indexes
from winepress_shared.stores.folder import FolderStore


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were synced, in order."""
    paths: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        paths.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    return paths


def test_what_has_changed_is_synced_and_nothing_else(tmp_path: Path, synced: list[str]) -> None:
    """Files in folders too, and a folder that got a new name."""
    log, volume = tmp_path / "names" / "000001.log", tmp_path / "1.dat"
    log.parent.mkdir()
    log.write_bytes(b"a")
    volume.write_bytes(b"a")
    sync = StoreSync(tmp_path)
    sync.sync()
    assert {str(log), str(volume), str(tmp_path), str(log.parent)} == set(synced)
    synced.clear()
    sync.sync()
    assert synced == []
    later = volume.stat().st_mtime_ns + 1_000_000
    os.utime(volume, ns=(later, later))
    sync.sync()
    assert synced == [str(volume)]


def test_it_syncs_by_itself_and_stops(
    tmp_path: Path, synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has vanished, or cannot be read, stops nothing."""
    monkeypatch.setattr("winepress_deploy.services.store_disk._EVERY_S", 0.01)
    (tmp_path / "1.dat").write_bytes(b"a")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    sync = StoreSync(tmp_path)
    with sync:
        while str(tmp_path / "1.dat") not in synced:
            sync._over.wait(0.01)
    assert not sync._thread.is_alive()


@pytest.mark.parametrize(
    ("description", "entry"),
    [('{"bytesOffset": 5}', 17), ('{"bytesOffset": 4}', 16), ("{", 17), (None, 17), ("[]", 17)],
)
def test_half_an_entry_of_an_index_is_cut_off(
    tmp_path: Path, description: str | None, entry: int
) -> None:
    """Whole entries stay as they are."""
    index = tmp_path / "winepress_1.idx"
    if description is not None:
        index.with_suffix(".vif").write_text(description)
    whole = bytes(range(entry)) * 3
    for rest in (b"", b"x", whole[: entry - 1]):
        index.write_bytes(whole + rest)
        trim_indexes(tmp_path)
        assert index.read_bytes() == whole


@pytest.mark.parametrize("is_asked", [False, True])
def test_a_shared_folder_syncs_names_where_the_disk_is_waited_for(
    tmp_path: Path, synced: list[str], is_asked: bool
) -> None:
    """Each file either way; the folders above it only then."""
    store = FolderStore(tmp_path / "store", syncs_names=is_asked)
    store.put("farm/jobs/j1/job.json", b"x")
    folders = [f"{tmp_path}/store{part}" for part in ("/farm/jobs/j1", "/farm/jobs", "/farm", "")]
    assert [path for path in synced if path in folders] == (folders if is_asked else [])
    assert len(synced) == (6 if is_asked else 2)
