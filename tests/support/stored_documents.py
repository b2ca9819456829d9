"""Documents of the store and the broker as the product writes them, and what reads each of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from winepress.explanation import why_impossible
from winepress.paces import Paces
from winepress.refusals import refused_models
from winepress_shared.archive import Archive, JobRecord, Output, Result, output_key
from winepress_shared.catalogue import Catalogue
from winepress_shared.documents import OutputDocument, read_document, read_facts, read_rows
from winepress_shared.items import Item, ItemReader
from winepress_shared.jobs.job import Batch, TextToImage
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.lane import Lane, Precision
from winepress_shared.ledger.events import Event
from winepress_shared.ledger.records import JobRow, Worker
from winepress_shared.ledger.submissions import Submission
from winepress_shared.settings import Settings
from winepress_shared.webhook import Webhook, WebhookEvent
from winepress_shared.window import Window
from winepress_worker.models.manifest import FileRecord, Manifest
from winepress_worker.models.registry import ModelRegistry
from winepress_worker.models.registry_index import RegistryIndex

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
