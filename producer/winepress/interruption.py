"""What becomes of jobs whose submission is not seen through: undone, or known under their key."""

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

_INTERRUPTED = "interrupted while it was submitted"
_FAILED = "its submission failed, or that of a job submitted with it"


@contextlib.contextmanager
def all_or_none(connections: Connections, records: Sequence[JobRecord]) -> Iterator[None]:
    """Take every job back if one of them is not accepted, or anything ends this early."""
    try:
        yield
    except WinepressError as error:
        left = _take_back(connections, records, _FAILED)
        if left and isinstance(error, FarmUnreachable):
            error.hint = f"It may have been accepted: `winepress status {left[0].id}` tells"
            if left[0].idempotency_key:
                error.hint += ". Submitted again with the same idempotency key, it is queued once"
        raise
    except BaseException:  # Ctrl-C, or what ends the caller: its process, its task's time
        _take_back(connections, records, _INTERRUPTED)
        raise


def _take_back(
    connections: Connections, records: Sequence[JobRecord], reason: str
) -> list[JobRecord]:
    """Undo submissions; returns those that may live on.

    With an idempotency key those are left that the ledger cannot be asked about: whoever submits
    them again finds them there. Nobody could find the others, so no worker may draw them.
    """
    left, is_reachable = [], True
    for record in records:
        try:
            is_reachable = is_reachable and _withdraw(connections, record, reason)
            if not is_reachable and record.idempotency_key:
                left.append(record)
            elif not is_reachable:
                connections.archive.forget_job(record.id)
                # It says that the job is over, should the ledger hold it nevertheless.
                connections.archive.write_result(Result(record.id, (), ()))
        except StoreUnreachable as error:
            log.warning(
                "job.json of %s, which was not queued, may be left over: %s", record.id, error
            )
            if not is_reachable:
                left.append(record)
    return left


def _withdraw(connections: Connections, record: JobRecord, reason: str) -> bool:
    """Cancel what the ledger has seen, and forget the rest; False when it does not answer."""
    try:
        cancel(connections, record.id, reason, key=record.idempotency_key)
    except NotFound:
        connections.archive.forget_job(record.id)
    except BrokerUnreachable:
        return False
    except Conflict:
        pass  # it is over already
    return True
