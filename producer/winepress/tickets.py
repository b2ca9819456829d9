"""Tickets: the messages by which a producer calls workers to a lane."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from winepress_shared.errors import FarmUnreachable

if TYPE_CHECKING:
    from winepress.connections import Connections

log = logging.getLogger(__name__)


def issue_tickets(connections: Connections, lane: str, count: int) -> None:
    """Send ``count`` tickets to ``lane``.

    A failure is only logged: the reconciler in every worker sends the missing tickets later.
    """
    from winepress_shared.broker import send_tickets  # imports Celery

    try:
        if count:
            send_tickets(connections.celery, lane, count)
    except FarmUnreachable as error:
        log.warning("accepted, but workers will notice a little later: %s", error)
