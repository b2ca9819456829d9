"""Pending jobs: a submission holds a place in the ledger before it writes the job into the store.

A pending job counts against the limits and holds its idempotency key, and no claim finds it. It is
accepted when its ``job.json`` is in the store. What a submission leaves behind that does not come
to its end, workers put right: see `overdue`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

from winepress_shared.errors import BrokerUnreachable, Conflict
from winepress_shared.ledger.acceptance import Acceptance, Decision, Hold, key_conflict
from winepress_shared.ledger.limits import farm_full, user_full
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.ledger.submissions import IDEMPOTENCY_MS, Submission
from winepress_shared.settings import Settings
from winepress_shared.state import JobState

_AGAIN_MS = 60_000  #: until another worker looks after the same job
_PAGE = 500  #: jobs per round trip


class PendingJobs:
    """Holds, accepts and undoes submissions, several in one round trip.

    Methods raise BrokerUnreachable.
    """

    def __init__(self, settings: Settings, server: ScriptServer | None = None) -> None:
        """``server`` is one that others use too; without it this opens its own."""
        self._prefix = f"{settings.farm}:"
        self._queue_prefix = f"{settings.farm}:queue:"  #: see `broker.make_celery`
        self._server = server or ScriptServer(settings, self._prefix)
        self._on_disk = settings.waits_for_disk

    def close(self) -> None:
        """Close the connections; they are reopened when needed."""
        self._server.close()

    def hold(self, jobs: Sequence[Submission], *, beside: bool = False) -> list[Hold]:
        """Enter all jobs as pending, or none; an earlier job keeps its idempotency key.

        With ``beside`` a job is held although another pending job has its key: whichever is
        accepted first keeps it. Raises QueueFull, and Conflict if an earlier job differs.
        """
        mode, found, own_units = "beside" if beside else "hold", [], 0
        try:
            for page in _pages(jobs):
                calls = [("submit", *job.arguments(self._queue_prefix, mode)) for job in page]
                answers = self._server.run_together(*calls, at_once=True)
                for job, answer in zip(page, answers, strict=True):
                    name, job_id, *_ = checked_answer(job, answer, own_units)
                    own_units += job.units if job_id == job.id else 0
                    found.append(Hold(job_id, name == "pending" or job_id == job.id))
        except BrokerUnreachable:
            raise  # what was held is dropped by a worker
        except BaseException:  # refused or interrupted
            with suppress(BrokerUnreachable):
                self.drop([job.id for job in jobs])
            raise
        return found

    def accept(self, job_ids: Sequence[str]) -> list[Acceptance]:
        """Let claims find pending jobs whose ``job.json`` is in the store.

        With ``durability = disk`` this returns when the broker's disk has them; without
        ``job_ids`` too, for jobs that others had accepted.
        """
        found: list[Acceptance] = []
        terms = ("accept", IDEMPOTENCY_MS, self._queue_prefix)
        calls = [(*terms, *page) for page in _pages(job_ids)]
        for workers, *answers in self._server.run_together(*calls, on_disk=self._on_disk):
            found += [
                Acceptance(Decision(name), job_id, queued, workers)
                for name, job_id, queued in answers
            ]
        return found

    def withdraw(self, jobs: Sequence[tuple[str, str]], reason: str) -> list[JobState | None]:
        """Undo submissions, given as id and idempotency key.

        Returns the state of a job that was accepted meanwhile and has ended, or that belongs to
        another submission too, else None. Of the
        others the ids are remembered, so that nothing enters them again, until `forget`.
        """
        found: list[JobState | None] = []
        for page in _pages(jobs):
            pairs = [part for pair in page for part in pair]
            answers = self._server.run("withdraw", reason, *pairs)
            found += [None if name == "withdrawn" else JobState(name) for name in answers]
        return found

    def drop(self, job_ids: Sequence[str]) -> None:
        """Remove those jobs that are pending, when nothing of them is in the store."""
        for page in _pages(job_ids):
            self._server.run("drop", *page)

    def overdue(self, most: int) -> tuple[list[str], list[str]]:
        """Jobs that are pending for long, and undone submissions; at most so many of each.

        Whoever calls this looks for them in the store; others get them again a minute later.
        """
        pending, withdrawn = self._server.run("overdue", most, _AGAIN_MS)
        return pending, withdrawn

    def forget(self, job_id: str) -> None:
        """The store asks for no job of this undone submission, and never will."""
        with self._server.reaching():
            self._server.client.zrem(f"{self._prefix}withdrawn", job_id)


def checked_answer(job: Submission, answer: list[Any], own_units: int = 0) -> list[Any]:
    """The answer of ``submit.lua`` to a job; raises Conflict or QueueFull if it refuses.

    ``own_units`` are held by the same submission, and so are not told as waiting.
    """
    name, job_id, *numbers = answer
    if name == "conflict":
        raise key_conflict(job.idempotency_key, job_id)
    if name == "withdrawn":
        raise Conflict("the submission of this job was undone", value=job_id)
    if name in ("full", "user-full"):
        units, most = cast("list[int]", numbers)
        waiting = units - own_units
        raise farm_full(waiting, most) if name == "full" else user_full(job.user, waiting, most)
    return answer


def _pages(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[first : first + _PAGE] for first in range(0, len(items), _PAGE)]
