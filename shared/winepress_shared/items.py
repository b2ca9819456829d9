"""The items of a batch: unit i of the job is item i.

They lie in the store, ``jobs/ID/items/000500.jsonl``, in parts named by the first item in them; the
ledger knows no more of them than their number, so ten thousand cost it as little as ten.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from winepress_shared.archive import Archive, JobRecord
from winepress_shared.documents import MAX_ITEMS_BYTES, ItemDocument, read_document
from winepress_shared.errors import FailForGood, InvalidJob, ObjectMissing, ObjectTooLarge
from winepress_shared.jobs.job import Batch, Job, decode_job

_NAME = "an item of a batch"
PART_ITEMS = 500  #: items of one object; a worker reads one object at a time


@dataclass(frozen=True)
class Item:
    """One picture of a batch."""

    job: Job  #: resolved, of one picture
    name: str = ""  #: what the user calls it; may be empty
    line: int = 0  #: of the file it came from; 0 is none
    warnings: tuple[str, ...] = ()  #: what it asks for and will not get

    def encode(self) -> bytes:
        """One line of JSON."""
        job = self.job.model_dump(mode="json")
        values = {"name": self.name, "line": self.line, "job": job}
        text = json.dumps(values | ({"warnings": self.warnings} if self.warnings else {}))
        return text.encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Item:
        """Read what `encode` wrote; raises FailForGood for anything else."""
        given = read_document(ItemDocument, data, _NAME)
        try:
            job = decode_job(given.job)
        except InvalidJob as error:
            raise FailForGood(f"{_NAME} is damaged: {error}") from None
        if isinstance(job, Batch) or job.unit_count != 1:
            raise FailForGood(f"{_NAME} is damaged: it is not one picture")
        return cls(job, given.name, given.line, given.warnings)


def write_items(archive: Archive, job_id: str, items: Sequence[bytes]) -> None:
    """Keep encoded items; to be called before the job itself is written."""
    for first in range(0, len(items), PART_ITEMS):
        data = b"".join(items[first : first + PART_ITEMS])
        key = _key(job_id, first)
        archive.store.put(key, data, content_type="application/jsonl")


class ItemReader:
    """Says what each unit of a job is, batch or not. Not thread-safe."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._key = ""
        self._part: list[bytes] = []  # lines of the object read last

    def item(self, record: JobRecord, unit: int) -> Item:
        """Unit ``unit`` of a job; raises FailForGood."""
        if not isinstance(record.job, Batch):
            return Item(record.job.for_unit(unit), warnings=record.warnings)
        first = unit - unit % PART_ITEMS
        key = _key(record.id, first)
        if key != self._key:
            self._part = self._read(key)
            self._key = key
        if unit - first >= len(self._part):
            raise FailForGood("items of a batch are missing", value=key)
        return Item.decode(self._part[unit - first])

    def _read(self, key: str) -> list[bytes]:
        try:
            data = self._archive.store.get(key, most=MAX_ITEMS_BYTES)
            return data.split(b"\n", PART_ITEMS)[:-1]  # every item ends its line
        except (ObjectMissing, ObjectTooLarge):
            return []  # its units end; a pause would bring nothing back


def _key(job_id: str, first: int) -> str:
    return f"jobs/{job_id}/items/{first:06d}.jsonl"
