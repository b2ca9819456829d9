"""Tickets: the messages by which a producer calls workers to a lane."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from winepress_shared.errors import BrokerUnreachable, FarmUnreachable

if TYPE_CHECKING:
    from winepress.connections import Connections

log = logging.getLogger(__name__)

_LATER = "accepted, but workers will notice a little later: %s"


def issue_tickets(connections: Connections, lane: str, count: int) -> None:
    """Send ``count`` tickets to ``lane``.

    A failure is only logged: the reconciler in every worker sends the missing tickets later.
    """
    from winepress_shared.broker import send_tickets  # imports Celery

    try:
        if count:
            send_tickets(connections.celery, lane, count)
    except FarmUnreachable as error:
        log.warning(_LATER, error)


def call_workers(connections: Connections, job_id: str) -> None:
    """Send the tickets that the lane of a job lacks; a failure is only logged as well."""
    try:
        row = connections.ledger.get(job_id)
        missing = connections.ledger.missing_tickets(row.lane, row.units - row.done)
    except BrokerUnreachable as error:
        log.warning(_LATER, error)
    else:
        issue_tickets(connections, row.lane, missing)
