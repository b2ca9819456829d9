"""What every store promises of files too large for memory, run against a folder and real S3."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest

from winepress_shared.errors import CancelRequested, ObjectMissing
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_shared.stores.base import PART_BYTES, Store, StoredObject

if TYPE_CHECKING:
    from conftest import S3Server

_PARTS = 3
_LARGE = _PARTS * PART_BYTES + 12345
METADATA = {"sha256": "0" * 64, "note": "a film"}


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store of each kind."""
    if request.param == "folder":
        return open_store(Settings(store_folder=tmp_path / "store"))
    server: S3Server = request.getfixturevalue("s3_server")
    return open_store(server.settings())


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """A key that belongs to one test alone."""
    return f"tests/files/{request.node.originalname}.mp4"


@pytest.fixture
def large() -> Iterator[BinaryIO]:
    """A file of three parts and a bit, each byte run another one."""
    with tempfile.TemporaryFile() as file:
        for part in range(_PARTS + 1):
            file.write(bytes([part]) * min(PART_BYTES, _LARGE - part * PART_BYTES))
        yield file


def test_a_large_file_comes_back_whole_and_never_lies_in_memory(
    store: Store, key: str, large: BinaryIO
) -> None:
    """Written and read in parts: the memory taken does not grow with the file."""
    calls: list[int] = []
    tracemalloc.start()
    assert store.put_file_new(
        key, large, content_type="video/mp4", metadata=METADATA, on_part=lambda: calls.append(1)
    )
    with tempfile.TemporaryFile() as back:
        store.get_file(key, back)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (back.seek(0), large.seek(0)) == (0, 0)
        while part := back.read(PART_BYTES):
            assert part == large.read(PART_BYTES)
        assert large.read(1) == b""
    assert peak < 3 * PART_BYTES
    assert len(calls) == _PARTS + 1
    assert store.head(key) == StoredObject(key, _LARGE, METADATA)


@pytest.mark.parametrize("size", [0, 5])
def test_a_small_file_is_an_object_like_any_other(store: Store, key: str, size: int) -> None:
    """From its start, wherever it was read or written last."""
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * size)
        assert store.put_file_new(f"{key}.{size}", file, metadata=METADATA)
    assert store.get(f"{key}.{size}") == b"x" * size
    assert store.head(f"{key}.{size}") == StoredObject(f"{key}.{size}", size, METADATA)


def test_a_file_never_replaces_an_object(store: Store, key: str, large: BinaryIO) -> None:
    """Neither one that is there before, nor one that comes while the file is under way."""
    store.put(key, b"first")
    assert not store.put_file_new(key, large)
    store.delete(key)
    assert not store.put_file_new(key, large, on_part=lambda: store.put(key, b"first"))
    assert store.get(key) == b"first"


def test_a_write_that_is_stopped_leaves_nothing(store: Store, key: str, large: BinaryIO) -> None:
    """What stops it is passed on, and the key stays free."""

    def stop() -> None:
        raise CancelRequested("told to")

    with pytest.raises(CancelRequested):
        store.put_file_new(key, large, on_part=stop)
    assert store.head(key) is None
    assert list(store.list(key)) == []
    assert store.put_file_new(key, large)


def test_reading_what_is_not_there_says_so(store: Store, key: str) -> None:
    """ObjectMissing, as for a small object."""
    with tempfile.TemporaryFile() as file, pytest.raises(ObjectMissing):
        store.get_file(key, file)
