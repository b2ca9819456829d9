"""Interrupted submissions: they are undone, or can be found again by their idempotency key."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from winepress.control import record_end
from winepress_shared.archive import JobRecord, Result
from winepress_shared.errors import (
    BrokerUnreachable,
    FarmUnreachable,
    StoreUnreachable,
    WinepressError,
)
from winepress_shared.state import JobState

if TYPE_CHECKING:
    from winepress.connections import Connections

_INTERRUPTED = "its submission was interrupted"
_FAILED = "its submission failed, or the submission of a job in the same call"
_DOUBLE = "another job has its idempotency key"


@contextlib.contextmanager
def all_or_none(
    connections: Connections, records: Sequence[JobRecord], continued: Sequence[JobRecord]
) -> Iterator[None]:
    """Undo the submission of all jobs if one of them is refused, or if the block is interrupted.

    Jobs that are ``continued`` may have been accepted by whoever submitted them first, and stay.
    """
    try:
        yield
    except WinepressError as error:
        left = [*_take_back(connections, records, _FAILED), *continued]
        if left and isinstance(error, FarmUnreachable):
            error.hint = f"It may have been accepted: see `winepress status {left[0].id}`"
            if left[0].idempotency_key:
                error.hint += ". Submitted again with the same idempotency key, it is queued once"
        raise
    except BaseException:  # Ctrl-C, the end of the process, or a canceled task
        _take_back(connections, records, _INTERRUPTED)
        raise


def undo_double(connections: Connections, job_id: str) -> None:
    """Remove a job from the store whose idempotency key belongs to another accepted job."""
    with contextlib.suppress(BrokerUnreachable):
        connections.pending.withdraw([(job_id, "")], _DOUBLE)
    with contextlib.suppress(StoreUnreachable):
        connections.archive.forget_job(job_id)


def _take_back(
    connections: Connections, records: Sequence[JobRecord], reason: str
) -> list[JobRecord]:
    """Undo submissions; returns those that may have been accepted."""
    pairs = [(record.id, record.idempotency_key) for record in records]
    try:
        states = connections.pending.withdraw(pairs, reason)
    except BrokerUnreachable:
        return [record for record in records if not _is_removed(connections, record)]
    # What is left if the store fails, or is still at work on an earlier request, workers remove.
    with contextlib.suppress(StoreUnreachable):
        for record, state in zip(records, states, strict=True):
            if state is None:
                connections.archive.forget_job(record.id)
            elif state is JobState.CANCELED:
                record_end(connections, record.id)
    return []


def _is_removed(connections: Connections, record: JobRecord) -> bool:
    """Remove the description of a job that the ledger may hold, so that no worker draws it.

    A job with an idempotency key is left alone: the next submission with this key finds it.
    """
    if record.idempotency_key:
        return False
    try:
        connections.archive.forget_job(record.id)
        # In case the ledger accepted the job nevertheless, it has ended.
        connections.archive.write_result(Result(record.id, (), ()))
    except StoreUnreachable:
        return False
    return True
