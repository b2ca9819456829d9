"""Redis is disposable: the ledger is rebuilt from the store."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from winepress_shared.archive import JobRecord
from winepress_shared.errors import NotFound, ObjectMissing, WinepressError

if TYPE_CHECKING:
    from winepress.client import Client

log = logging.getLogger(__name__)

_READERS = 8  #: threads that ask the store about finished pictures


def recover(client: Client) -> list[str]:
    """Enter every job of the store that has no result into the ledger; returns the ids entered.

    Pictures that are in the store are not rendered again. Jobs the ledger knows and jobs whose
    deadline has passed are left alone, so this is safe on a farm that is running. A damaged
    ``job.json`` is reported and passed over.
    """
    return [record.id for record in unfinished(client) if _restore(client, record)]


def _restore(client: Client, record: JobRecord) -> bool:
    try:
        client.ledger.get(record.id)
        return False
    except NotFound:
        outputs = _finished_units(client, record)
    client.ledger.keep_units(record.id, outputs)
    _, is_new = client.enter(record)
    if is_new:
        client.issue_tickets(str(record.lane), record.job.unit_count - len(outputs))
    return is_new


def _finished_units(client: Client, record: JobRecord) -> dict[int, dict[str, Any]]:
    """Unit → its row, of every picture of the job that is in the store."""
    keys = {
        int(number): stored.key
        for stored in client.archive.store.list(f"jobs/{record.id}/out/")
        if (number := stored.key.rpartition("/")[2].partition(".")[0]).isdecimal()
        and int(number) < record.job.unit_count
    }
    with ThreadPoolExecutor(_READERS, thread_name_prefix="recover") as pool:
        rows = pool.map(client.archive.read_output, keys.values())
    return {unit: row for unit, row in zip(keys, rows, strict=True) if row is not None}


def unfinished(client: Client) -> Iterator[JobRecord]:
    """Every job of the store that has no result, and whose deadline has not passed."""
    for job_id in sorted(_open_jobs(client)):
        try:
            record = client.archive.read_job(job_id)
        except ObjectMissing:
            continue  # refused meanwhile, and taken back
        except WinepressError as error:
            log.warning("cannot recover job %s: %s", job_id, error)
            continue
        if record.expires is None or record.expires > time.time():
            yield record


def _open_jobs(client: Client) -> set[str]:
    asked: set[str] = set()
    finished: set[str] = set()
    for stored in client.archive.store.list("jobs/"):
        folder, _, name = stored.key.rpartition("/")
        job_id = folder.removeprefix("jobs/")
        if name == "job.json":
            asked.add(job_id)
        elif name == "result.json":
            finished.add(job_id)
    return asked - finished
