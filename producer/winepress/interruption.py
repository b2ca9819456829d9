"""What becomes of a job whose submission the user interrupts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from winepress_shared.archive import JobRecord
from winepress_shared.errors import FarmUnreachable, NotFound

if TYPE_CHECKING:
    from winepress.client import Client


@contextlib.contextmanager
def taken_back(client: Client, record: JobRecord) -> Iterator[None]:
    """Take a job back if Ctrl-C comes while inside: nobody has been told its id yet."""
    try:
        yield
    except KeyboardInterrupt:
        with contextlib.suppress(FarmUnreachable):
            try:
                client.cancel(record.id, "interrupted while it was submitted")
            except NotFound:  # the ledger has not seen it
                client.archive.forget_job(record.id)
        raise
