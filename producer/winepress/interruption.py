"""What becomes of jobs whose submission is not seen through."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from winepress_shared.archive import JobRecord
from winepress_shared.errors import Conflict, FarmUnreachable, NotFound, WinepressError

if TYPE_CHECKING:
    from winepress.client import Client

_INTERRUPTED = "interrupted while it was submitted"
_REFUSED = "a job submitted with it was refused"


@contextlib.contextmanager
def taken_back(client: Client, record: JobRecord) -> Iterator[None]:
    """Take a job back if Ctrl-C comes while inside: nobody has been told its id yet."""
    try:
        yield
    except KeyboardInterrupt:
        _take_back(client, [record], _INTERRUPTED)
        raise


@contextlib.contextmanager
def all_or_none(client: Client, records: Sequence[JobRecord]) -> Iterator[None]:
    """Take every job back if one of them is refused, or Ctrl-C comes, while inside."""
    try:
        yield
    except WinepressError:
        _take_back(client, records, _REFUSED)
        raise
    except KeyboardInterrupt:
        _take_back(client, records, _INTERRUPTED)
        raise


def _take_back(client: Client, records: Sequence[JobRecord], reason: str) -> None:
    """Cancel what the ledger has seen, and forget the rest.

    What cannot be asked about stays as it is: a worker would look for its job.json in vain.
    """
    with contextlib.suppress(FarmUnreachable):
        for record in records:
            try:
                client.cancel(record.id, reason)
            except NotFound:
                client.archive.forget_job(record.id)
            except Conflict:  # it is over already
                continue
