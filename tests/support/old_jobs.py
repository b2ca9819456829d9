"""Jobs that ended long ago, and what a cleaning does to them."""

from __future__ import annotations

import time
from typing import Any

from support.manual_worker import LANE, ManualWorker, apple
from winepress import Client, JobHandle
from winepress.cleaning import DAY_S, Cleaning
from winepress_shared.jobs.job import Job

DAYS = 30.0


def clean(client: Client, later: float = DAYS + 1, **options: Any) -> list[str]:
    """What a cleaning deletes that runs so many days later."""
    now = time.time() + later * DAY_S
    return [one.id for one in Cleaning(client, DAYS, now=now, **options).run()]


def left(client: Client, job_id: str) -> list[str]:
    """The names of the objects of a job."""
    return [one.key.split("/", 2)[2] for one in client.archive.store.list(f"jobs/{job_id}/")]


def empty(client: Client) -> None:
    """Delete what other tests left: the farm's bucket is the session's."""
    for stored in list(client.archive.store.list("jobs/")):
        client.archive.store.delete(stored.key)


def drop_record(client: Client, *handles: JobHandle) -> None:
    """Have the ledger forget jobs, as it does after `keep_days`."""
    for handle in handles:
        assert client.counted.forget(handle.id)


def drawn(client: Client, worker: ManualWorker, job: Job | None = None) -> JobHandle:
    """A job that has ended and is no longer listed."""
    handle = client.submit(job or apple(n=2))
    worker.work(LANE)
    handle.wait(timeout=60)
    drop_record(client, handle)
    return handle
