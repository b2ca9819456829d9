"""Pins: a pinned job stays listed, and its objects stay in the store, until it is unpinned."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from winepress.handle import open_job
from winepress_shared import pins
from winepress_shared.errors import NotFound

if TYPE_CHECKING:
    from winepress.connections import Connections


def pin(connections: Connections, job_id: str) -> None:
    """Keep a job; raises NotFound, and Conflict if its objects are being deleted."""
    open_job(connections, job_id)
    pins.pin(connections.archive.store, job_id)
    try:
        open_job(connections, job_id)
    except NotFound:  # all of it was deleted meanwhile
        pins.unpin(connections.archive.store, job_id)
        raise
    _record(connections, job_id, "pin")


def unpin(connections: Connections, job_id: str) -> None:
    """Let a job go in time; raises NotFound."""
    open_job(connections, job_id)
    _record(connections, job_id, "unpin")
    pins.unpin(connections.archive.store, job_id)


def _record(connections: Connections, job_id: str, verb: str) -> None:
    with contextlib.suppress(NotFound):  # its record has expired, or the broker has lost it
        connections.ledger.control(job_id, verb)
