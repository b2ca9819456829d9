"""Cleaning: the objects of jobs that ended long ago, and are no longer listed, are deleted.

A job keeps its objects while the ledger knows it, while it is pinned, while a film is to be cut
from its key frames, and while `winepress recover` would enter it again. What it was given is
shared with other jobs; see `input_cleaning`.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import TYPE_CHECKING

from winepress_shared.errors import ObjectMissing, StoreUnreachable, WinepressError
from winepress_shared.job_id import ID_PATTERN
from winepress_shared.pins import LEAVING, PINNED, RECUTS

if TYPE_CHECKING:
    from winepress.connections import Connections
    from winepress_shared.stores.base import StoredObject

log = logging.getLogger(__name__)

DAY_S = 86_400.0
#: Whatever the limit: no submission takes so long, and whoever has not gone on for so long is dead.
LEAST_S = 3_600.0
_PAGE = 500  #: jobs looked up together, and objects deleted together
_DELETERS = 8  #: threads that delete
_JOB, _RESULT, _ITEMS = "job.json", "result.json", "items/"
_MARKS = frozenset({PINNED, LEAVING})
_JOB_ID = re.compile(ID_PATTERN)


@dataclass
class StoredJob:
    """What the store has of one job."""

    id: str
    objects: int = 0
    size: int = 0  #: in bytes
    written: float = 0.0  #: when the newest was, less the marks; Unix seconds by the store's clock
    names: set[str] = field(default_factory=set)  #: which of its documents and marks there are
    leaving_since: float = 0.0
    recuts: list[str] = field(default_factory=list)  #: jobs that cut a film from its key frames
    descriptions: list[str] = field(default_factory=list)  #: keys of job.json and of its items

    def add(self, stored: StoredObject) -> None:
        """Count one of its objects."""
        name = stored.key.removeprefix(f"jobs/{self.id}/")
        if name in _MARKS or name in (_JOB, _RESULT):
            self.names.add(name)
        if name == LEAVING:
            self.leaving_since = stored.written
        if name in _MARKS:
            return
        if name.startswith(RECUTS):
            self.recuts.append(name.removeprefix(RECUTS))
        if name == _JOB or name.startswith(_ITEMS):
            self.descriptions.append(stored.key)
        self.objects += 1
        self.size += stored.size
        self.written = max(self.written, stored.written)

    @property
    def is_open(self) -> bool:
        """Whether the store asks for the job to be drawn."""
        return _JOB in self.names and _RESULT not in self.names


class Cleaning:
    """One look at all jobs of the store; safe at any time on a running farm, and twice is once.

    It reads the store page by page, and its memory does not grow with the store. One that was
    killed is continued by the next. Several at a time do not disturb each other.
    """

    def __init__(
        self,
        connections: Connections,
        days: float,
        *,
        dry_run: bool = False,
        now: float | None = None,
    ) -> None:
        """``days`` is the age of the newest object of a job from which on all may go.

        ``now`` is the time, in Unix seconds: by default the earlier one of this machine's and the
        broker's, so that a clock that is wrong deletes nothing. With ``dry_run`` nothing is.
        """
        self._connections = connections
        self._store = connections.archive.store
        self.dry_run = dry_run
        self.now = now or min(time.time(), connections.snapshots.take(1, 0).at)
        #: What is younger stays; Unix seconds.
        self.before = self.now - max(days * DAY_S, LEAST_S)

    def run(self) -> Iterator[StoredJob]:
        """Delete, and yield job by job what was deleted; raises FarmUnreachable."""
        for one, may_go in self._seen():
            if may_go and (self.dry_run or self._delete(one)):
                yield one

    def kept(self) -> Iterator[StoredJob]:
        """The jobs that are left; in a dry run without those that `run` would delete."""
        if not self.dry_run:  # what `run` left may have been pinned meanwhile
            yield from _jobs(self._store.list("jobs/"))
            return
        for one, may_go in self._seen():
            if not may_go:
                yield one

    def _seen(self) -> Iterator[tuple[StoredJob, bool]]:
        """Each job of the store, and whether it may go."""
        jobs = _jobs(self._store.list("jobs/"))
        while page := list(islice(jobs, _PAGE)):
            old = [one.id for one in page if one.written < self.before]
            unknown = set(self._connections.farm.unknown_jobs(old))
            for one in page:
                yield one, one.id in unknown and self._may_go(one)

    def _may_go(self, one: StoredJob) -> bool:
        """Whether nothing keeps the objects of a job that the ledger does not know."""
        if one.written >= self.before or (PINNED in one.names and one.objects):
            return False
        return (not one.is_open or self._has_expired(one.id)) and not any(
            self._is_alive(other) for other in one.recuts
        )

    def _has_expired(self, job_id: str) -> bool:
        """Whether a job without a result ended by its deadline, long enough ago."""
        try:
            expires = self._connections.archive.read_job(job_id).expires
        except ObjectMissing:
            return False  # another cleaning has it
        except StoreUnreachable:
            raise
        except WinepressError as error:
            log.warning("job %s is kept, for its record is damaged: %s", job_id, error)
            return False
        return expires is not None and expires < self.before

    def _is_alive(self, job_id: str) -> bool:
        if not _JOB_ID.fullmatch(job_id):
            return False
        if not self._connections.farm.unknown_jobs([job_id]):
            return True
        has_result = self._store.head(f"jobs/{job_id}/{_RESULT}") is not None
        return self._connections.archive.has_job(job_id) and not has_result

    def _delete(self, one: StoredJob) -> bool:
        """Delete a job, unless somebody wants to keep it now; see `pins`."""
        leaving = f"jobs/{one.id}/{LEAVING}"
        if not self._store.put_new(leaving, b"") and not (
            0 < one.leaving_since < self.now - LEAST_S
        ):
            return False  # another cleaning deletes it
        now = StoredJob(one.id)
        for stored in self._store.list(f"jobs/{one.id}/"):
            now.add(stored)
        if not self._connections.farm.unknown_jobs([one.id]) or not self._may_go(now):
            self._store.delete(leaving)
            return False
        self._delete_objects(one.id)
        return True

    def _delete_objects(self, job_id: str) -> None:
        """Delete in an order that never leaves a job that looks like one to be drawn."""
        folder = f"jobs/{job_id}/"
        self._store.delete(folder + _JOB)
        last = (folder + _RESULT, folder + LEAVING)
        keys = (stored.key for stored in self._store.list(folder) if stored.key not in last)
        with ThreadPoolExecutor(_DELETERS, thread_name_prefix="clean") as pool:
            while page := list(islice(keys, _PAGE)):
                list(pool.map(self._store.delete, page))
        for key in last:
            self._store.delete(key)


def _jobs(objects: Iterable[StoredObject]) -> Iterator[StoredJob]:
    """The jobs of a listing of the store; what is no job's is left out."""
    for job_id, group in groupby(objects, lambda one: one.key.split("/", 2)[1]):
        one = StoredJob(job_id)
        for stored in group:
            one.add(stored)
        if _JOB_ID.fullmatch(job_id):
            yield one
