"""Redis is disposable: the ledger is rebuilt from the store."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from winepress_shared.archive import JobRecord
from winepress_shared.errors import ObjectMissing, WinepressError

if TYPE_CHECKING:
    from winepress.client import Client

log = logging.getLogger(__name__)


def recover(client: Client) -> list[str]:
    """Enter every job of the store that has no result into the ledger; returns the ids entered.

    Jobs the ledger knows already and jobs whose deadline has passed are left alone, so this is
    safe on a farm that is running. A damaged ``job.json`` is reported and passed over.
    """
    entered = []
    for record in _unfinished(client):
        job_id, is_new = client.enter(record)
        if is_new:
            client.issue_tickets(str(record.lane), record.job.unit_count)
            entered.append(job_id)
    return entered


def _unfinished(client: Client) -> Iterator[JobRecord]:
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
