"""The jobs that the store asks for: those without a result."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TYPE_CHECKING

from winepress_shared.archive import JobRecord
from winepress_shared.errors import ObjectMissing, WinepressError

if TYPE_CHECKING:
    from winepress.connections import Connections
    from winepress_shared.stores.base import StoredObject

log = logging.getLogger(__name__)

_NAMES = frozenset({"job.json", "result.json"})


def unexpired(connections: Connections, job_ids: Iterable[str]) -> Iterator[JobRecord]:
    """The records of jobs whose deadline has not passed; damaged records are logged."""
    for job_id in job_ids:
        try:
            record = connections.archive.read_job(job_id)
        except ObjectMissing:
            continue  # its submission was undone meanwhile
        except WinepressError as error:
            log.warning("cannot recover job %s: %s", job_id, error)
            continue
        if record.expires is None or record.expires > time.time():
            yield record


def open_jobs(objects: Iterable[StoredObject]) -> Iterator[tuple[str, bool]]:
    """Each job of a listing of the store, and whether it is to be drawn: it has no result."""
    for job_id, group in groupby(objects, lambda one: one.key.split("/", 2)[1]):
        names = (one.key.removeprefix(f"jobs/{job_id}/") for one in group)
        yield job_id, {name for name in names if name in _NAMES} == {"job.json"}


@dataclass(frozen=True)
class StoredJobs:
    """The jobs in the store that have no result."""

    ids: frozenset[str]
    is_all: bool = True  #: false when the store holds more objects than were listed

    @classmethod
    def list(cls, connections: Connections, most: int | None = None) -> StoredJobs:
        """List at most ``most`` objects of the store; None is all of them."""
        found: set[str] = set()
        last, looked_at = "", 0

        def seen() -> Iterator[StoredObject]:
            nonlocal looked_at
            for stored in islice(connections.archive.store.list("jobs/"), most):
                looked_at += 1
                yield stored

        for last, is_open in open_jobs(seen()):
            if is_open:
                found.add(last)
        is_all = looked_at != most
        if not is_all:
            found.discard(last)  # its other objects may come later
        return cls(frozenset(found), is_all)
