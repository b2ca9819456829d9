"""Files of any size in a store: what a transfer that was killed leaves, and how it goes on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from winepress_shared.errors import ObjectMissing
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_shared.stores.base import Store, StoredObject
from winepress_shared.stores.folder import FolderStore
from winepress_shared.stores.s3 import S3Store
from winepress_shared.stores.s3_multipart import PART_BYTES

if TYPE_CHECKING:
    from support.servers import S3Server

LARGE_BYTES = 2 * PART_BYTES + 12_345  #: three parts
METADATA = {"fence": "12"}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of several parts, no two of them equal."""
    path = tmp_path_factory.mktemp("files") / "large"
    path.write_bytes(random.Random(1).randbytes(LARGE_BYTES))
    return path


class Killed(Exception):
    """What ends a transfer in these tests where a kill would."""


class Tape:
    """Hears how far a transfer is, and may end it."""

    def __init__(self, end: float = float("inf")) -> None:
        self.heard: list[int] = []
        self._end = end

    def __call__(self, moved: int) -> None:
        self.heard.append(moved)
        if moved >= self._end:
            raise Killed


def test_a_file_comes_back_as_it_was(store: Store, place: str, large: Path, tmp_path: Path) -> None:
    """Empty, small and large files; sizes, metadata and progress are those of the file."""
    small, empty = tmp_path / "small", tmp_path / "empty"
    small.write_bytes(b"x" * 1000)
    empty.write_bytes(b"")
    for source in (empty, small, large):
        tape = Tape()
        assert store.put_file(f"{place}/it", source, metadata=METADATA, on_bytes=tape)
        size = source.stat().st_size
        assert store.head(f"{place}/it") == StoredObject(f"{place}/it", size, METADATA)
        back = tmp_path / f"back-{source.name}"
        store.get_file(f"{place}/it", back, most=2**40, on_bytes=tape)
        assert back.read_bytes() == source.read_bytes()
        assert not size or tape.heard[-1] == size
    assert [item.key for item in store.list(place)] == [f"{place}/it"]


def test_a_taken_key_is_kept_when_asked(store: Store, place: str, large: Path) -> None:
    """With only_new the first object and its metadata stay; without, the last one's."""
    for first in (b"first", large.read_bytes()):
        store.put(f"{place}/it", first, metadata=METADATA)
        assert not store.put_file(f"{place}/it", large, metadata={"fence": "13"}, only_new=True)
        assert store.head(f"{place}/it") == StoredObject(f"{place}/it", len(first), METADATA)
    store.delete(f"{place}/it")
    assert store.put_file(f"{place}/it", large, metadata={"fence": "14"}, only_new=True)
    assert store.put_file(f"{place}/it", large)
    assert store.head(f"{place}/it") == StoredObject(f"{place}/it", LARGE_BYTES, {})


def test_a_read_goes_on_where_the_file_ends(
    store: Store, place: str, large: Path, tmp_path: Path
) -> None:
    """What is there already is not fetched again; a longer file is another one's."""
    store.put_file(f"{place}/it", large)
    partial, tape = tmp_path / "partial", Tape()
    with pytest.raises(Killed):
        store.get_file(f"{place}/it", partial, most=2**40, on_bytes=Tape(end=PART_BYTES))
    assert PART_BYTES <= partial.stat().st_size < LARGE_BYTES
    held = partial.stat().st_size
    store.get_file(f"{place}/it", partial, most=2**40, on_bytes=tape)
    assert tape.heard[0] > held
    assert partial.read_bytes() == large.read_bytes()
    store.get_file(f"{place}/it", partial, most=2**40, on_bytes=tape)
    with partial.open("ab") as file:
        file.write(b"more")
    store.get_file(f"{place}/it", partial, most=2**40)
    assert partial.read_bytes() == large.read_bytes()


def test_half_a_file_is_no_object(store: Store, place: str, large: Path, tmp_path: Path) -> None:
    """A transfer ended in the middle leaves the key free and, with another file, no trace."""
    with pytest.raises(Killed):
        store.put_file(f"{place}/it", large, on_bytes=Tape(end=PART_BYTES))
    assert store.head(f"{place}/it") is None
    assert list(store.list(place)) == []
    other = tmp_path / "other"
    other.write_bytes(large.read_bytes()[:PART_BYTES] + b"y" * 10)
    store.put_file(f"{place}/it", other)
    assert store.get(f"{place}/it") == other.read_bytes()


def test_a_killed_write_is_taken_up(store_settings: Settings, place: str, large: Path) -> None:
    """A process killed after the first part leaves no object; the next one completes it."""
    script = f"os._exit(9) if moved >= {PART_BYTES} else None"
    assert _write_elsewhere(store_settings, f"{place}/it", large, script).returncode == 9
    store = open_store(store_settings)
    assert store.head(f"{place}/it") is None
    store.put_file(f"{place}/it", large)
    assert store.get(f"{place}/it") == large.read_bytes()
    assert [item.key for item in store.list(place)] == [f"{place}/it"]


def test_parts_that_were_sent_are_not_sent_again(
    s3_server: S3Server, place: str, large: Path
) -> None:
    """S3 is given the missing parts only, and nothing is left of the upload."""
    sent: list[int] = []
    store = S3Store(s3_server.settings())
    client = store._client
    client.meta.events.register(
        "before-parameter-build.s3.UploadPart",
        lambda params, **_: sent.append(params["PartNumber"]),
    )
    with pytest.raises(Killed):
        store.put_file(f"{place}/it", large, on_bytes=Tape(end=2 * PART_BYTES))
    store.put_file(f"{place}/it", large)
    assert sent == [1, 2, 3]
    assert not client.list_multipart_uploads(Bucket=store._bucket).get("Uploads")


def test_memory_stays_bounded(store_settings: Settings, place: str, tmp_path: Path) -> None:
    """A file of 192 MiB goes through a process that grows by a quarter of that at most."""
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(192 * 2**20)
    write = _write_elsewhere(store_settings, f"{place}/it", sparse, "None")
    assert write.returncode == 0
    assert 0 < int(write.stdout) < 48 * 2**10
    back = tmp_path / "back"
    store = open_store(store_settings)
    tracemalloc.start()
    store.get_file(f"{place}/it", back, most=2**40)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert back.stat().st_size == sparse.stat().st_size
    assert peak < 48 * 2**20
    store.delete(f"{place}/it")


def test_a_missing_object_leaves_an_empty_file_at_most(
    store: Store, place: str, tmp_path: Path
) -> None:
    """Reading what is not there raises ObjectMissing with the key."""
    with pytest.raises(ObjectMissing) as caught:
        store.get_file(f"{place}/none", tmp_path / "it", most=2**40)
    assert str(caught.value.value).endswith(f"{place}/none")
    assert not (tmp_path / "it").exists() or not (tmp_path / "it").stat().st_size


def test_a_file_that_cannot_be_used_is_told_from_the_store(
    store: Store, place: str, tmp_path: Path
) -> None:
    """A missing source and a full disk are the caller's OSError, not the store's failure."""
    with pytest.raises(FileNotFoundError):
        store.put_file(f"{place}/it", tmp_path / "none")
    store.put(f"{place}/it", b"x" * 100_000)
    with pytest.raises(OSError, match="No space left"):
        store.get_file(f"{place}/it", Path("/dev/full"), most=2**40)


def _write_elsewhere(
    settings: Settings, key: str, path: Path, on_moved: str
) -> subprocess.CompletedProcess[bytes]:
    """Write a file in a process of its own, which prints by how many KiB it has grown."""
    script = (
        "import os, re, sys\nfrom pathlib import Path\n"
        "from winepress_shared.settings import Settings\n"
        "from winepress_shared.stores import open_store\n"
        f"def on_moved(moved): {on_moved}\n"
        "store = open_store(Settings.load())\nstore.check()\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "before = peak()\n"
        "store.put_file(sys.argv[1], Path(sys.argv[2]), on_bytes=on_moved)\n"
        "print(peak() - before)\n"
    )
    secret = settings.s3_secret_access_key
    told = {
        "S3_ENDPOINT": settings.s3_endpoint,
        "S3_BUCKET": settings.s3_bucket,
        "S3_ACCESS_KEY_ID": settings.s3_access_key_id
        and settings.s3_access_key_id.get_secret_value(),
        "S3_SECRET_ACCESS_KEY": secret and secret.get_secret_value(),
        "STORE_FOLDER": settings.store_folder and str(settings.store_folder),
    }
    environment = os.environ | {f"WINEPRESS_{name}": value for name, value in told.items() if value}
    command = [sys.executable, "-c", script, key, str(path)]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False, timeout=60)


def test_a_folder_that_became_empty_is_gone_and_nobody_who_writes_there_minds(
    tmp_path: Path,
) -> None:
    """A farm that deletes old jobs would keep a folder or two of each for ever."""
    store = FolderStore(tmp_path / "store", syncs_names=True)
    given = tmp_path / "given"
    given.write_bytes(b"x" * 100)

    def write_and_delete(name: str) -> None:
        for _ in range(30):
            store.put(f"jobs/j/out/{name}", b"x")
            store.delete(f"jobs/j/out/{name}")
            store.put_file(f"jobs/j/out/{name}", given)
            store.delete(f"jobs/j/out/{name}")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write_and_delete, ("a", "b", "c")))
    assert [path.name for path in (tmp_path / "store").iterdir()] == [".lock"]
