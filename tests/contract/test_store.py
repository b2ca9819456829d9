"""What every store promises, run against a folder and against a real S3 server."""

from __future__ import annotations

import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from winepress_shared.errors import ObjectMissing, ObjectTooLarge
from winepress_shared.stores.base import MAX_GET_BYTES, Store, StoredObject

HOSTILE_KEYS = [
    "",
    "/etc/passwd",
    "..",
    "../outside",
    "a/../../outside",
    "a/./b",
    "a//b",
    "a/",
    ".hidden",
    "a/.hidden",
    "a\\b",
    "a\0b",
    "a\nb",
    "grün",
    "k" * 201,
    "/".join(["k" * 100] * 6),
]
METADATA = {"sha256": "0" * 64, "fence": "12", "note": "a, b: c"}


def test_what_was_put_is_read_back(store: Store, place: str) -> None:
    """The bytes come back unchanged, whatever they are; a second put replaces them."""
    for data in (b"", b"\x00\xff" * 500, bytes(3_000_000)):
        store.put(f"{place}/object", data)
        assert store.get(f"{place}/object") == data
    assert list(store.list(place)) == [StoredObject(f"{place}/object", 3_000_000)]


@pytest.mark.parametrize("name", ["a b+c%20?&#=.png", "!'()*~[]{}|^", "-", "x" * 200])
def test_every_allowed_key_names_its_own_object(store: Store, place: str, name: str) -> None:
    """Characters that mean something in a URL are part of the key like any other."""
    store.put(f"{place}/{name}", name.encode())
    assert store.get(f"{place}/{name}") == name.encode()
    assert f"{place}/{name}" in [item.key for item in store.list(f"{place}/{name[:1]}")]
    store.delete(f"{place}/{name}")
    assert store.head(f"{place}/{name}") is None


def test_nothing_is_read_that_is_larger_than_its_reader_takes(
    store: Store, place: str, tmp_path: Path
) -> None:
    """To the byte, and a file is not begun; without a limit of the caller's there is still one."""
    store.put(f"{place}/object", bytes(1000))
    assert store.get(f"{place}/object", most=1000) == bytes(1000)
    store.get_file(f"{place}/object", tmp_path / "whole", most=1000)
    with pytest.raises(ObjectTooLarge, match=r"1000 bytes.*up to 999 bytes"):
        store.get(f"{place}/object", most=999)
    (tmp_path / "partial").touch()
    with pytest.raises(ObjectTooLarge):
        store.get_file(f"{place}/object", tmp_path / "partial", most=999)
    assert (tmp_path / "partial").stat().st_size == 0
    store.put(f"{place}/object", bytes(MAX_GET_BYTES + 1))
    with pytest.raises(ObjectTooLarge):
        store.get(f"{place}/object")


def test_metadata_is_kept_and_replaced_with_the_object(store: Store, place: str) -> None:
    """Head gives size and metadata; a put without any leaves none behind."""
    key = f"{place}/object.png"
    store.put(key, b"12345", content_type="image/png", metadata=METADATA)
    assert store.head(key) == StoredObject(key, 5, METADATA)
    store.put(key, b"123")
    assert store.head(key) == StoredObject(key, 3, {})


@pytest.mark.parametrize(
    "metadata",
    [
        {"prompt": "grün"},
        {"note": "x\r\nx-amz-acl: public-read"},
        {"note": " outer space "},
        {"note": "x" * 2048},
        {"two words": "x"},
        {"Upper": "x"},
        {"ä": "x"},
        {"": "x"},
    ],
)
def test_metadata_that_s3_would_change_is_refused(
    store: Store, place: str, metadata: dict[str, str]
) -> None:
    """Only what every store gives back unchanged is accepted, and nothing is written otherwise."""
    for write in (store.put, store.put_new):
        with pytest.raises(ValueError, match="metadata"):
            write(f"{place}/object", b"x", metadata=metadata)
    assert store.head(f"{place}/object") is None


def test_put_new_never_replaces(store: Store, place: str) -> None:
    """The first writer wins; object and metadata of the first stay."""
    key = f"{place}/object"
    assert store.put_new(key, b"first", metadata={"by": "1"})
    assert not store.put_new(key, b"second", metadata={"by": "2"})
    assert store.get(key) == b"first"
    assert store.head(key) == StoredObject(key, 5, {"by": "1"})


def test_one_of_eight_concurrent_writers_wins(store: Store, place: str) -> None:
    """Exactly one put_new is told it won, and the object and its metadata are that writer's."""
    for turn in range(3):  # few: SeaweedFS lets the losers of a race wait a second or more
        barrier = threading.Barrier(8)
        key = f"{place}/{turn}"

        def write(writer: int, key: str = key, barrier: threading.Barrier = barrier) -> bool:
            barrier.wait()
            return store.put_new(key, b"%d" % writer * 1000, metadata={"by": str(writer)})

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(write, range(8)))
        assert won.count(True) == 1
        winner = won.index(True)
        assert store.get(key) == b"%d" % winner * 1000
        assert store.head(key) == StoredObject(key, 1000, {"by": str(winner)})


def test_readers_meet_whole_objects_only(store: Store, place: str) -> None:
    """While a key is replaced again and again, every read gives one of the versions."""
    key, versions = f"{place}/object", [bytes([byte]) * 300_000 for byte in range(4)]
    store.put(key, versions[0])
    with ThreadPoolExecutor(2) as pool:
        writes = [pool.submit(store.put, key, version) for version in versions * 5]
        while not all(write.done() for write in writes):
            assert store.get(key) in versions
        for write in writes:
            write.result()
    assert [item.key for item in store.list(f"{place}/")] == [key]


def test_list_gives_every_key_of_a_prefix_in_order(store: Store, place: str) -> None:
    """More keys than one page of S3 holds; a prefix need not end at a slash."""
    keys = [f"{place}/many/{number:06}.png" for number in range(1100)]
    with ThreadPoolExecutor(8) as pool:
        for write in [pool.submit(store.put, key, b"x" * (i % 3)) for i, key in enumerate(keys)]:
            write.result()
    store.put(f"{place}/manyfold", b"x")
    listed = list(store.list(f"{place}/many/"))
    assert listed == [StoredObject(key, i % 3) for i, key in enumerate(keys)]
    assert [item.key for item in store.list(f"{place}/many/0010")] == keys[1000:1100]
    assert [item.key for item in store.list(f"{place}/manyf")] == [f"{place}/manyfold"]
    assert set(keys) < {item.key for item in store.list("")}
    assert list(store.list(f"{place}/none/")) == []


def test_a_missing_object_is_told_apart(store: Store, place: str) -> None:
    """Head says None, get raises ObjectMissing with the key, delete is content."""
    key = f"{place}/object"
    assert store.head(key) is None
    with pytest.raises(ObjectMissing) as caught:
        store.get(key)
    assert str(caught.value.value).endswith(key)
    store.delete(key)
    store.put(key, b"x", metadata=METADATA)
    for _ in range(2):
        store.delete(key)
    assert store.head(key) is None
    assert list(store.list(place)) == []
    assert store.put_new(key, b"y")
    assert store.head(key) == StoredObject(key, 1, {})


def test_a_link_reads_without_credentials(store: Store, place: str) -> None:
    """Plain urllib fetches what was stored."""
    key = f"{place}/a b+c.png"
    store.put(key, b"picture", content_type="image/png")
    with urllib.request.urlopen(store.url(key, expires_s=60), timeout=10) as reply:
        assert reply.read() == b"picture"
    for seconds in (0, -1, 8 * 24 * 3600):
        with pytest.raises(ValueError, match="seconds"):
            store.url(key, expires_s=seconds)


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=ascii)
def test_hostile_keys_are_refused(store: Store, tmp_path: Path, key: str) -> None:
    """No method lets a key leave the store or hide in it."""
    for call in (
        lambda: store.put(key, b"x"),
        lambda: store.put_new(key, b"x"),
        lambda: store.get(key),
        lambda: store.head(key),
        lambda: store.delete(key),
        lambda: store.url(key),
    ):
        with pytest.raises(ValueError, match="not a valid object key"):
            call()
    assert [path.name for path in tmp_path.rglob("*")] == []


@pytest.mark.parametrize("prefix", ["/", "../", "a/../", "a//", ".", "a\0", "a/."])
def test_hostile_prefixes_are_refused(store: Store, prefix: str) -> None:
    """A listing cannot leave the store either."""
    with pytest.raises(ValueError, match="not a valid object key"):
        list(store.list(prefix))


def test_check_accepts_a_usable_store(store: Store) -> None:
    """A store that can be used passes, twice."""
    store.check()
    store.check()


def test_listed_versions_change_with_what_was_written(store: Store, place: str) -> None:
    """Though neither the key nor the size does."""
    store.put(f"{place}/a", b"one")
    store.put(f"{place}/b", b"one")
    before = {found.key: found.version for found in store.list(place)}
    store.put(f"{place}/a", b"two")
    after = {found.key: found.version for found in store.list(place)}
    assert all(before.values())
    assert before[f"{place}/a"] != after[f"{place}/a"]
    assert before[f"{place}/b"] == after[f"{place}/b"]
