"""A ledger that fails when it is told to, for tests of the client alone."""

from __future__ import annotations

from typing import Any

from winepress import BrokerUnreachable, QueueFull
from winepress_shared.errors import NotFound
from winepress_shared.ledger.records import Entry, Submission
from winepress_shared.ticket_policy import missing_tickets


class FakeLedger:
    """Accepts jobs until told otherwise."""

    def __init__(self) -> None:
        self.accepted: list[str] = []
        self.known: set[str] = set()
        self.canceled: list[str] = []
        self.room = 1000
        self.full: BaseException = QueueFull("the queue is full")
        self.fault: BaseException | None = None
        self.is_away = False

    def check_room(self, user: str, units: int, *, may_be_known: bool) -> None:
        """As `QueueLimits` does where there is room for anything."""

    def outputs(self, job_id: str) -> dict[int, dict[str, Any]]:
        return {}

    def control(self, job_id: str, verb: str, reason: str = "", key: str = "") -> str:
        if self.is_away:
            raise BrokerUnreachable("the broker does not answer")
        if job_id not in self.known:
            raise NotFound("no such job")
        self.canceled.append(job_id)
        return "canceled"

    def submit(self, new: Submission) -> Entry:
        if len(self.accepted) >= self.room:
            raise self.full
        self.known.add(new.id)
        if self.fault:
            raise self.fault
        self.accepted.append(new.id)
        # As in a large farm whose lane has no ticket.
        return Entry(new.id, is_new=True, tickets=missing_tickets(new.units, 1000, 0))
