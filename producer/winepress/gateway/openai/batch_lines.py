"""What has become of each line of a batch, from the results of its jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from winepress.client import Client
from winepress.gateway.openai.batch_record import BatchRecord
from winepress.gateway.openai.image_answer import picture_json
from winepress.handle import JobHandle
from winepress_shared.archive import Failure, Output
from winepress_shared.errors import NotFound, ObjectMissing
from winepress_shared.items import Item, ItemReader

_CANCELED = {"code": "batch_cancelled", "message": "the batch was canceled before this was drawn"}
_EXPIRED = {"code": "batch_expired", "message": "the batch ended before this was drawn"}
#: Makes a link to an output of a job.
Link = Callable[[str, Output], str]


@dataclass(frozen=True)
class Unit:
    """One picture of a batch, or what is known of it."""

    job_id: str
    item: Item
    output: Output | None
    failure: Failure | None


@dataclass(frozen=True)
class BatchLine:
    """One line of a batch."""

    number: int  #: from 1
    name: str  #: the custom_id; may be empty
    units: tuple[Unit, ...]

    @property
    def is_done(self) -> bool:
        """Whether all of its pictures are finished."""
        return all(unit.output is not None for unit in self.units)

    @property
    def failure(self) -> Failure | None:
        """Why a picture failed; None if none did."""
        return next((unit.failure for unit in self.units if unit.failure), None)


def batch_lines(client: Client, record: BatchRecord) -> Iterator[BatchLine]:
    """Every line of a batch, those of one lane together; blocks its thread."""
    for number, found in groupby(_units(client, record), key=lambda unit: unit.item.line):
        units = tuple(found)
        yield BatchLine(number, units[0].item.name, units)


def _units(client: Client, record: BatchRecord) -> Iterator[Unit]:
    for job_id in record.jobs:
        try:
            job, result = client.archive.read_job(job_id), JobHandle(client, job_id).result
        except (NotFound, ObjectMissing):
            continue  # somebody has removed it from the store
        done = {output.unit: output for output in result.outputs}
        failed = {failure.unit: failure for failure in result.failures}
        reader = ItemReader(client.archive)
        for unit in range(job.job.unit_count):
            yield Unit(job_id, reader.item(job, unit), done.get(unit), failed.get(unit))


def output_lines(client: Client, record: BatchRecord, link: Link) -> Iterator[bytes]:
    """The lines of the output file: one for each line of the batch that is done."""
    for line in batch_lines(client, record):
        if not line.is_done:
            continue
        data = []
        for unit in line.units:
            output = unit.output
            if output is not None:
                handle = JobHandle(client, unit.job_id)
                content = handle.read(output) if record.wants_bytes else None
                data.append(picture_json(output, link(unit.job_id, output), content))
        body = {"created": int(record.created), "data": data}
        response = {"status_code": 200, "request_id": line.units[0].job_id, "body": body}
        yield _encoded(record, line, response, None)


def error_lines(client: Client, record: BatchRecord) -> Iterator[bytes]:
    """The lines of the error file: one for each line of the batch that is not done."""
    for line in batch_lines(client, record):
        if line.is_done:
            continue
        failure = line.failure
        if failure is None:
            yield _encoded(record, line, None, _CANCELED if record.canceled else _EXPIRED)
            continue
        error = {"message": failure.message, "type": "server_error", "param": None}
        body = {"error": error | {"code": "job-failed"}}
        response = {"status_code": 500, "request_id": line.units[0].job_id, "body": body}
        yield _encoded(record, line, response, None)


def _encoded(
    record: BatchRecord,
    line: BatchLine,
    response: dict[str, Any] | None,
    error: dict[str, Any] | None,
) -> bytes:
    members = {
        "id": f"batch_req_{record.id.removeprefix('batch_')}_{line.number}",
        "custom_id": line.name,
        "response": response,
        "error": error,
    }
    return json.dumps(members).encode() + b"\n"
