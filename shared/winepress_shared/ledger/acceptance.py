"""What the ledger answers to a submission, step by step: see `pending`."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from winepress_shared.errors import Conflict


class Hold(NamedTuple):
    """The answer to one job of `PendingJobs.hold`."""

    id: str  #: an earlier job's if the idempotency key was known
    is_pending: bool  #: that job is not accepted yet


class Decision(StrEnum):
    """What became of one job of `PendingJobs.accept`."""

    ACCEPTED = "accepted"
    EARLIER = "earlier"  #: accepted, or ended, before
    KNOWN = "known"  #: its idempotency key belongs to another accepted job, so it was dropped
    CONFLICT = "conflict"  #: the same, and that job has other content
    MISSING = "missing"  #: the ledger does not know it
    WITHDRAWN = "withdrawn"  #: its submission was undone
    DAMAGED = "damaged"  #: its record makes no sense


class Acceptance(NamedTuple):
    """The same, with what is needed to call workers."""

    decision: Decision
    id: str  #: of the accepted job
    queued: int  #: tickets in its lane
    workers: int  #: of the farm


def key_conflict(key: str, job_id: str) -> Conflict:
    """The error for an idempotency key that belongs to a job with other content."""
    return Conflict(
        f"this idempotency key belongs to job {job_id}, which has other content",
        field="idempotency_key",
        value=key,
    )
