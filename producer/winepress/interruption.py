"""Interrupted submissions: they are undone, or can be found again by their idempotency key."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from winepress.control import cancel
from winepress_shared.archive import JobRecord, Result
from winepress_shared.errors import (
    BrokerUnreachable,
    Conflict,
    FarmUnreachable,
    NotFound,
    StoreUnreachable,
    WinepressError,
)

if TYPE_CHECKING:
    from winepress.connections import Connections

log = logging.getLogger(__name__)

_INTERRUPTED = "its submission was interrupted"
_FAILED = "its submission failed, or the submission of a job in the same call"


@contextlib.contextmanager
def all_or_none(connections: Connections, records: Sequence[JobRecord]) -> Iterator[None]:
    """Undo the submission of all jobs if one of them is refused, or if the block is interrupted."""
    try:
        yield
    except WinepressError as error:
        left = _take_back(connections, records, _FAILED)
        if left and isinstance(error, FarmUnreachable):
            error.hint = f"It may have been accepted: see `winepress status {left[0].id}`"
            if left[0].idempotency_key:
                error.hint += ". Submitted again with the same idempotency key, it is queued once"
        raise
    except BaseException:  # Ctrl-C, the end of the process, or a canceled task
        _take_back(connections, records, _INTERRUPTED)
        raise


def _take_back(
    connections: Connections, records: Sequence[JobRecord], reason: str
) -> list[JobRecord]:
    """Undo submissions; returns those that may have been accepted.

    While the ledger cannot be reached, a job with an idempotency key is left alone: the next
    submission with this key finds it. A job without a key could not be found again, so its
    description is removed and no worker draws it.
    """
    left, is_reachable = [], True
    for record in records:
        try:
            is_reachable = is_reachable and _withdraw(connections, record, reason)
            if not is_reachable and record.idempotency_key:
                left.append(record)
            elif not is_reachable:
                connections.archive.forget_job(record.id)
                # In case the ledger holds the job nevertheless, it has ended.
                connections.archive.write_result(Result(record.id, (), ()))
        except StoreUnreachable as error:
            log.warning(
                "job %s was not queued, but its job.json may be left in the store: %s",
                record.id,
                error,
            )
            if not is_reachable:
                left.append(record)
    return left


def _withdraw(connections: Connections, record: JobRecord, reason: str) -> bool:
    """Cancel a job that the ledger has, forget one that it lacks; False when it does not answer."""
    try:
        cancel(connections, record.id, reason, key=record.idempotency_key)
    except NotFound:
        connections.archive.forget_job(record.id)
    except BrokerUnreachable:
        return False
    except Conflict:
        pass  # the job has ended
    return True
