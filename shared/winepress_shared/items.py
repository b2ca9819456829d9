"""The items of a batch: unit i of the job is item i.

They are objects in the store, such as ``jobs/ID/items/000500.jsonl``, each named by its first item.
The ledger only has their number, so ten thousand items cost it as little as ten.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from winepress_shared.archive import Archive, JobRecord
from winepress_shared.documents import MAX_ITEMS_BYTES, ItemDocument, read_document
from winepress_shared.errors import FailForGood, InvalidJob, ObjectMissing, ObjectTooLarge
from winepress_shared.jobs.job import Job, decode_job

_NAME = "an item of a batch"
ITEMS_PER_OBJECT = 500  #: a worker reads one object at a time


@dataclass(frozen=True)
class Item:
    """One picture of a batch."""

    job: Job  #: resolved, of one picture
    name: str = ""  #: given by the user; may be empty
    line: int = 0  #: in the batch file, from 1; 0 is no file
    warnings: tuple[str, ...] = ()  #: options that are ignored, one sentence each

    def encode(self) -> bytes:
        """One line of JSON."""
        job = self.job.model_dump(mode="json")
        values = {"name": self.name, "line": self.line, "job": job}
        text = json.dumps(values | ({"warnings": self.warnings} if self.warnings else {}))
        return text.encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Item:
        """Read the output of `encode`; raises FailForGood for anything else."""
        given = read_document(ItemDocument, data, _NAME)
        try:
            job = decode_job(given.job)
        except InvalidJob as error:
            raise FailForGood(f"{_NAME} is damaged: {error}") from None
        if not job.is_picture or job.unit_count != 1:
            raise FailForGood(f"{_NAME} is damaged: it is not one picture")
        return cls(job, given.name, given.line, given.warnings)


def write_items(archive: Archive, job_id: str, items: Sequence[bytes]) -> None:
    """Write encoded items; call this before the job itself is written."""
    for first in range(0, len(items), ITEMS_PER_OBJECT):
        data = b"".join(items[first : first + ITEMS_PER_OBJECT])
        key = _key(job_id, first)
        archive.store.put(key, data, content_type="application/jsonl")


class ItemReader:
    """Finds the item of each unit of a job, batch or not. Not thread-safe."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._key = ""
        self._lines: list[bytes] = []  # of the object that was read last

    def item(self, record: JobRecord, unit: int) -> Item:
        """The item of ``unit``; raises FailForGood if it is missing or damaged."""
        if not record.job.has_items:
            return Item(record.job.for_unit(unit), warnings=record.warnings)
        first = unit - unit % ITEMS_PER_OBJECT
        key = _key(record.id, first)
        if key != self._key:
            self._lines = self._read(key)
            self._key = key
        if unit - first >= len(self._lines):
            raise FailForGood("items of a batch are missing", value=key)
        return Item.decode(self._lines[unit - first])

    def _read(self, key: str) -> list[bytes]:
        try:
            data = self._archive.store.get(key, most=MAX_ITEMS_BYTES)
            return data.split(b"\n", ITEMS_PER_OBJECT)[:-1]  # every item ends its line
        except (ObjectMissing, ObjectTooLarge):
            return []  # its units fail: another attempt would not help


def _key(job_id: str, first: int) -> str:
    return f"jobs/{job_id}/items/{first:06d}.jsonl"
