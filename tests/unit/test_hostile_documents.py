"""Whatever lies in the store or the broker, its reader answers, or says so in one sentence."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from winepress.explanation import why_impossible
from winepress.paces import Paces
from winepress.refusals import refused_models
from winepress_shared.archive import Archive, JobRecord, Output, Result, output_key
from winepress_shared.catalogue import Catalogue
from winepress_shared.documents import OutputDocument, read_document, read_facts, read_rows
from winepress_shared.errors import FailForGood, LaterVersion, WinepressError
from winepress_shared.items import Item, ItemReader
from winepress_shared.jobs.job import Batch, TextToImage
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.lane import Lane, Precision
from winepress_shared.ledger.events import Event
from winepress_shared.ledger.records import JobRow, Worker
from winepress_shared.ledger.submissions import Submission
from winepress_shared.settings import Settings
from winepress_shared.stores.folder import FolderStore
from winepress_shared.webhook import Webhook, WebhookEvent
from winepress_shared.window import Window
from winepress_worker.models.manifest import FileRecord, Manifest
from winepress_worker.models.registry import ModelRegistry
from winepress_worker.models.registry_index import RegistryIndex

MUTANTS = 300  #: of every document
LANE = Lane.parse("vignette.fp16")
CATALOGUE = Catalogue.load()
FOX = CATALOGUE.resolve(TextToImage(prompt="a fox", seed=1))
FILM = CATALOGUE.resolve(ZoomVideo(prompt="a fox", seed=1, duration=5.0))
RECORD = JobRecord(
    *("job", FOX, LANE, "ada", "0" * 32, "key", 2e9, 1e9, Window(60, 120), 3.5, ("a warning",)),
    webhook=Webhook("https://hooks.example/x", tuple(WebhookEvent), "https://gateway.example"),
)
PICTURE = b"a picture"
SHA256 = hashlib.sha256(PICTURE).hexdigest()
OUTPUT = Output(7, output_key("job", 7, "png"), SHA256, 9, 8, 64, 64, "CPU", "one", 0.5)
ROW = {name: value for name, value in asdict(OUTPUT).items() if name != "unit"}
MANIFEST = Manifest(
    model="vignette",
    precision=Precision.FP16,
    source="0",
    recipe={"export": "fp16"},
    versions={"openvino": "1"},
    channels=4,
    files={"unet/openvino_model.bin": FileRecord(size=3, sha256="0" * 64)},
)
FACTS = {
    "device": "CPU",
    "lanes": ["vignette.fp16"],
    "pid": 7,
    "warm": ["vignette.fp16"],
    "step_s": 0.1,
    "load_s": {"vignette.fp16": 2.0},
    "megapixel_steps_per_s": {"x": 1.5},
    "memory_budget": 2**33,
    "too_large": {"sdxl-base.fp16": 2**34},
    "unfit": {"tiny-sd.fp16": "the disk is full"},
    "pictures_per_call": {"vignette.fp16": 4},
}
HASH = dict.fromkeys(("done", "failed", "created", "started", "finished", "expires"), "1") | {
    "state": "running",
    "kind": "text-to-image",
    "lane": "x",
    "user": "ada",
    "priority": "1",
    "units": "3",
    "paused": "0",
    "reason": "",
    "starts": "1",
    "opens": "1",
    "closes": "2",
    "cost": "1.5",
}
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


Reader = Callable[[Archive, bytes], object]


def read_job(archive: Archive, data: bytes) -> object:
    archive.store.put("jobs/job/job.json", data)
    record = archive.read_job("job")
    assert record.id == "job"
    assert all(type(value) in (str, int) for value in Submission.of(record).row)
    return record


def read_item(archive: Archive, data: bytes) -> object:
    archive.store.put("jobs/job/items/000000.jsonl", data.replace(b"\n", b"") + b"\n")
    batch = Batch(n=1)
    item = ItemReader(archive).item(JobRecord("job", batch, LANE, "ada"), 0)
    return item.job.for_unit(0)


def read_result(archive: Archive, data: bytes) -> object:
    archive.store.put("jobs/job/result.json", data)
    return archive.read_result("job")


def read_manifest(archive: Archive, data: bytes) -> object:
    archive.store.put("models/manifests/vignette.fp16.json", data)
    return ModelRegistry(archive.store).find("vignette", Precision.FP16)


def read_units(archive: Archive, data: bytes) -> object:
    rows = read_rows({"7": data.decode("utf-8", "replace"), "x": "{}", "-1": "{}"})
    return Result.from_units("job", rows)


def read_row(archive: Archive, data: bytes) -> object:
    try:
        given = json.loads(data)
        row = {str(key): str(value) for key, value in given.items()}
    except (ValueError, AttributeError, RecursionError):
        row = {"event": data.decode("utf-8", "replace")}
    Event.of("1-0", row)
    return JobRow.from_hash("job", row)


def read_worker(archive: Archive, data: bytes) -> object:
    """What its words do to whoever lists workers, submits or asks why a job waits."""
    facts = read_facts(data.decode("utf-8", "replace"))
    worker = Worker("w", 0.0, facts, facts)
    why_impossible("sdxl-base.fp16", [worker])
    refused_models(worker)
    Paces([worker], {}).picture_s("vignette.fp16", 1.0)
    return worker


def read_index(archive: Archive, data: bytes) -> object:
    home = Path(archive.store.url("x").removeprefix("file://")).parent
    registry_index = RegistryIndex(Settings(home=home))
    registry_index._file.write_bytes(data)
    return registry_index.read()


DOCUMENTS: dict[str, tuple[Reader, dict[str, Any]]] = {
    "job": (read_job, json.loads(RECORD.encode())),
    "film": (read_job, json.loads(JobRecord("job", FILM, LANE, "ada").encode())),
    "item": (read_item, json.loads(Item(FOX, "name", 3, ("a warning",)).encode())),
    "result": (
        read_result,
        {
            "version": 1,
            "id": "job",
            "outputs": [asdict(OUTPUT)],
            "failures": [{"unit": 1, "error": "x", "message": "y"}],
        },
    ),
    "manifest": (read_manifest, json.loads(MANIFEST.model_dump_json())),
    "output": (lambda _, data: read_document(OutputDocument, data, "row"), ROW),
    "unit": (read_units, ROW),
    "failure": (read_units, {"error": "FailForGood", "message": "it failed"}),
    "facts": (read_worker, FACTS),
    "row": (read_row, HASH),
    "event": (read_row, {"event": "progress", "at": "1", "unit": "1", "step": "2", "steps": "3"}),
    "registry index": (
        read_index,
        {"offers": [{"lane": "vignette.fp16", "memory_bytes": 2**30}]},
    ),
}


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
