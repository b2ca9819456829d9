"""How many tickets a lane needs. A ticket is a Celery message that says: this lane has work."""

from __future__ import annotations

MOST_TICKETS = 32  #: queued in one lane at a time


def missing_tickets(units: int, workers: int, queued: int) -> int:
    """The number of further tickets to send to a lane.

    ``units`` of the lane wait, ``workers`` are alive in the farm, ``queued`` tickets are in the
    lane's queue. One ticket for each worker is enough, and `MOST_TICKETS` are enough for any farm:
    a worker that takes a ticket and leaves work behind sends the next one. While no worker is alive
    one ticket waits for the first.
    """
    return max(0, min(units, max(1, workers), MOST_TICKETS) - queued)
