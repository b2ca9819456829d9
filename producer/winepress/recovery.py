"""Redis is disposable: the ledger is rebuilt from the store."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from winepress_shared.archive import JobRecord
from winepress_shared.errors import ObjectMissing, Refused, WinepressError

if TYPE_CHECKING:
    from winepress.client import Client

log = logging.getLogger(__name__)

_READERS = 8  #: threads that ask the store about finished pictures
_NAMES = frozenset({"job.json", "accepted", "result.json"})


def recover(client: Client, *, pending: bool = False) -> list[str]:
    """Enter every job of the store that was accepted and has no result; returns the ids entered.

    Pictures that are in the store are not rendered again. Jobs the ledger knows and jobs whose
    deadline has passed are left alone, so this is safe on a farm that is running. A job that is
    damaged or refused is reported and passed over. With ``pending`` those are entered too whose
    submission was not seen through, as far as anybody knows.
    """
    stored = StoredJobs.list(client)
    if stored.pending and not pending:
        log.warning(
            "%d jobs were never accepted, like %s: their submission failed, or goes on just now; "
            "`winepress recover --pending` enters them too",
            len(stored.pending),
            min(stored.pending),
        )
    # Those accepted first: a failed submission may have been repeated under its key.
    wanted = [*sorted(stored.accepted), *(sorted(stored.pending) if pending else ())]
    lost = client.farm.unknown_jobs(wanted)
    return [record.id for record in unexpired(client, lost) if _restore(client, record)]


def _restore(client: Client, record: JobRecord) -> bool:
    outputs = _finished_units(client, record)
    client.ledger.keep_units(record.id, outputs)
    try:
        entry = client.enter(record)
    except Refused as error:
        log.warning("cannot recover job %s: %s", record.id, error)
        return False
    mark_accepted(client, entry.id)
    if entry.id != record.id:  # submitted again under its key, which would end before this one does
        client.archive.forget_job(record.id)
    if entry.is_new:
        client.issue_tickets(str(record.lane), entry.tickets)
    return entry.is_new


def mark_accepted(client: Client, job_id: str) -> None:
    """Note that the ledger has accepted a job, before its producer hears of it.

    After a failed submission nobody can tell whether the ledger ever knew of a job that is in the
    store; who was told that it failed may have submitted it again.
    """
    client.archive.store.put(f"jobs/{job_id}/accepted", b"")


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


def unexpired(client: Client, job_ids: Iterable[str]) -> Iterator[JobRecord]:
    """What the store says of jobs whose deadline has not passed; the damaged are reported."""
    for job_id in job_ids:
        try:
            record = client.archive.read_job(job_id)
        except ObjectMissing:
            continue  # refused meanwhile, and taken back
        except WinepressError as error:
            log.warning("cannot recover job %s: %s", job_id, error)
            continue
        if record.expires is None or record.expires > time.time():
            yield record


@dataclass(frozen=True)
class StoredJobs:
    """The jobs of the store that have no result, by their ids."""

    accepted: frozenset[str]  #: their producers were told so
    pending: frozenset[str]  #: submissions that failed, were cut off, or are just going on
    is_all: bool = True  #: the store held no more objects than were looked at

    @classmethod
    def list(cls, client: Client, most: int | None = None) -> StoredJobs:
        """Look through at most that many objects of the store; None is all of them."""
        found: dict[str, set[str]] = {}
        last, looked_at = "", 0
        for stored in islice(client.archive.store.list("jobs/"), most):
            last, _, name = stored.key.removeprefix("jobs/").partition("/")
            looked_at += 1
            if name in _NAMES:
                found.setdefault(last, set()).add(name)
        is_all = looked_at != most
        if not is_all:
            found.pop(last, None)  # there may be more of it
        open_jobs = {
            job_id: names
            for job_id, names in found.items()
            if "job.json" in names and "result.json" not in names
        }
        accepted = frozenset(one for one, names in open_jobs.items() if "accepted" in names)
        return cls(accepted, frozenset(open_jobs) - accepted, is_all)
