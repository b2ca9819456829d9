"""Whatever lies in the store or the broker, its reader answers, or says so in one sentence."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from support.stored_documents import DOCUMENTS, OUTPUT, PICTURE, RECORD, ROW

from winepress_shared.archive import Archive
from winepress_shared.errors import FailForGood, LaterVersion, WinepressError
from winepress_shared.lane import Precision
from winepress_shared.settings import Settings
from winepress_shared.stores.folder import FolderStore
from winepress_worker.models.registry import ModelRegistry
from winepress_worker.models.registry_index import RegistryIndex

MUTANTS = 300  #: of every document
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 7, 10**18, -(10**30), 1.5, 1e308, "", "x", "\x00\n\x1b[2J", "é" * 9000),
    *([], {}, [[]], {"x": []}, "../../x", "/etc/passwd", "tomorrow", "-1", "1e999", "9" * 5000),
    *(float("nan"), float("inf"), [None] * 300, {"": {"": {}}}),
)
RAW = (b"", b"[]", b"null", b"7", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 100_000)


def nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document, as a container and what leads from there to it."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in list(inside):
        yield value, key
        if isinstance(child, dict | list):
            yield from nodes(child)


def mutants(document: dict[str, Any], seed: str) -> Iterator[bytes]:
    """``document`` with one or two things wrong, and bytes that are no document at all."""
    yield from RAW
    chance = random.Random(seed)
    whole = json.dumps(document)
    for _ in range(MUTANTS):
        mutant = json.loads(whole)
        for _ in range(chance.randint(1, 2)):
            container, key = chance.choice(list(nodes(mutant)) or [(mutant, "x")])
            match chance.randrange(4):
                case 0 if isinstance(container, dict):
                    container.pop(key, None)
                case 1 if isinstance(container, dict):
                    container[chance.choice(["x", "", "é", "version"])] = deepcopy(
                        chance.choice(VALUES)
                    )
                case _:
                    container[key] = deepcopy(chance.choice(VALUES))
        text = json.dumps(mutant).encode()
        yield text if chance.random() < 0.9 else text[: chance.randrange(len(text))]


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # thousands of writes
    return Archive(FolderStore(tmp_path))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_read_or_refused_in_a_sentence(archive: Archive, name: str) -> None:
    """With an error of its own kind, never with an unexpected one."""
    read, document = DOCUMENTS[name]
    if name != "event":
        assert read(archive, json.dumps(document).encode())
    for mutant in mutants(document, name):
        try:
            read(archive, mutant)
        except WinepressError:
            pass  # workers settle it, and commands say it
        except Exception as fault:
            raise AssertionError(f"{type(fault).__name__} over {mutant[:400]!r}") from fault


@pytest.mark.parametrize("job_id", ["../../x", "other", "a/b", ""])
def test_a_job_that_lies_in_anothers_folder_is_refused(archive: Archive, job_id: str) -> None:
    """What it says of itself is compared with where it was found."""
    record = json.loads(RECORD.encode()) | {"id": job_id}
    archive.store.put("jobs/job/job.json", json.dumps(record).encode())
    with pytest.raises(FailForGood, match=r"job\.json is damaged"):
        archive.read_job("job")


def test_a_field_of_a_later_version_is_named(archive: Archive) -> None:
    """A worker that does not know what is asked for does not guess, and says why."""
    record = json.loads(RECORD.encode()) | {"watermark": True}
    archive.store.put("jobs/job/job.json", json.dumps(record).encode())
    with pytest.raises(FailForGood, match="unknown field 'watermark'; a later version"):
        archive.read_job("job")
    record = json.loads(RECORD.encode())
    record["job"]["watermark"] = True
    archive.store.put("jobs/job/job.json", json.dumps(record).encode())
    with pytest.raises(LaterVersion, match="watermark"):
        archive.read_job("job")
    archive.store.put("jobs/job/job.json", json.dumps(record | {"version": 2}).encode())
    with pytest.raises(FailForGood, match="another version of Winepress has written it"):
        archive.read_job("job")


def test_a_later_versions_output_is_read_as_far_as_it_is_understood(archive: Archive) -> None:
    """A field more than this version knows is no reason to draw a picture again."""
    text = json.dumps(ROW | {"camera": "new"})
    archive.store.put(OUTPUT.key, bytes(9), metadata={"winepress-output": text})
    row = archive.read_output(OUTPUT.key)
    assert row is not None
    assert row == {**ROW, "warnings": ()}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": "jobs/job/out/000007.png"}'])
def test_what_lies_in_the_place_of_a_picture_makes_way(archive: Archive, text: str) -> None:
    """An object that does not say what it is was not stored by a worker."""
    metadata = {"winepress-output": text} if text else None
    archive.store.put(OUTPUT.key, b"planted", metadata=metadata)
    assert archive.write_output(OUTPUT.key, PICTURE, ROW)
    assert archive.store.get(OUTPUT.key) == PICTURE
    assert not archive.write_output(OUTPUT.key, b"a second one", ROW)
    assert archive.store.get(OUTPUT.key) == PICTURE


def test_farms_of_one_name_keep_apart_what_their_stores_offer(tmp_path: Path) -> None:
    """They may share a home."""
    farms = [
        Settings(home=tmp_path, store_folder=tmp_path / "a"),
        Settings(home=tmp_path, store_folder=tmp_path / "b"),
        Settings(home=tmp_path, s3_bucket="one"),
        Settings(home=tmp_path, s3_bucket="two"),
        Settings(home=tmp_path, s3_bucket="one", farm="other"),
    ]
    FolderStore(tmp_path / "a").put("models/manifests/vignette.fp16.json", b"{}")
    RegistryIndex(farms[0]).look(ModelRegistry(FolderStore(tmp_path / "a")))
    found = [RegistryIndex(farm).read() for farm in farms]
    assert found == [[("vignette", Precision.FP16)], [], [], [], []]
