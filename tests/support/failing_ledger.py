"""A ledger that fails when it is told to, for tests of the client alone."""

from __future__ import annotations

from winepress import BrokerUnreachable, JobState, QueueFull
from winepress_shared.ledger.in_memory import InMemoryLedger
from winepress_shared.ledger.records import Entry, Submission


class FailingLedger(InMemoryLedger):
    """Accepts jobs until told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.room = 1000  #: jobs
        self.full: BaseException = QueueFull("the queue is full")  #: raised when there are more
        self.fault: BaseException | None = None  #: raised when a job has been entered
        self.is_away = False  #: for every call but a submission
        self.asked = 0  #: how often it was told to do something to a job

    def submit(self, new: Submission) -> Entry:
        if len(self.ids()) >= self.room:
            raise self.full
        found = super().submit(new)
        if self.fault:
            raise self.fault
        return found

    def control(self, job_id: str, verb: str, reason: str = "", key: str = "") -> JobState:
        self.asked += 1
        if self.is_away:
            raise BrokerUnreachable("the broker does not answer")
        return super().control(job_id, verb, reason, key)

    def ids(self, state: JobState | None = None) -> list[str]:
        """The jobs it knows, in the order they came."""
        return [row.id for row in reversed(self.jobs(state, limit=1000))]
