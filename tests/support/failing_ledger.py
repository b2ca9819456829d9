"""A ledger that fails when it is told to, for tests of the client alone."""

from __future__ import annotations

from collections.abc import Sequence

from winepress import BrokerUnreachable, JobState, QueueFull
from winepress_shared.ledger.acceptance import Acceptance, Decision, Hold
from winepress_shared.ledger.in_memory import InMemoryLedger
from winepress_shared.ledger.submissions import Entry, Submission


class FailingLedger(InMemoryLedger):
    """Accepts jobs until told otherwise; it stands for a client's `PendingJobs` as well."""

    def __init__(self) -> None:
        super().__init__()
        self.room = 1000  #: jobs
        self.full: BaseException = QueueFull("the queue is full")  #: raised when there are more
        self.fault: BaseException | None = None  #: raised when a job has been entered
        self.is_away = False  #: for every call but a submission
        self.asked = 0  #: how often it was told to do something to a job
        self.held: dict[str, Submission] = {}
        self.withdrawn: list[str] = []  #: ids that workers look after

    def submit(self, new: Submission) -> Entry:
        found = super().submit(new)
        if self.fault:
            raise self.fault
        return found

    def hold(self, jobs: Sequence[Submission], *, beside: bool = False) -> list[Hold]:
        if len(self.ids()) + len(self.held) + len(jobs) > self.room:
            raise self.full
        self.held |= {job.id: job for job in jobs}
        return [Hold(job.id, is_pending=True) for job in jobs]

    def drop(self, job_ids: Sequence[str]) -> None:
        for job_id in job_ids:
            self.held.pop(job_id, None)

    def accept(self, job_ids: Sequence[str]) -> list[Acceptance]:
        return [self._accept(job_id) for job_id in job_ids]

    def _accept(self, job_id: str) -> Acceptance:
        if job_id not in self.held:
            decision = Decision.EARLIER if job_id in self.ids() else Decision.MISSING
            return Acceptance(decision, job_id, 0, 0)
        entry = self.submit(self.held.pop(job_id))
        decision = Decision.ACCEPTED if entry.is_new else Decision.KNOWN
        return Acceptance(decision, entry.id, 0, len(self.workers()))

    def withdraw(self, jobs: Sequence[tuple[str, str]], reason: str) -> list[JobState | None]:
        self.asked += 1
        if self.is_away:
            raise BrokerUnreachable("the broker does not answer")
        return [self._withdraw(job_id, reason) for job_id, _ in jobs]

    def _withdraw(self, job_id: str, reason: str) -> JobState | None:
        if job_id not in self.ids():
            self.drop([job_id])
            self.withdrawn.append(job_id)
            return None
        state = self.get(job_id).state
        return state if state.is_terminal else super().control(job_id, "cancel", reason)

    def control(self, job_id: str, verb: str, reason: str = "") -> JobState:
        self.asked += 1
        if self.is_away:
            raise BrokerUnreachable("the broker does not answer")
        return super().control(job_id, verb, reason)

    def ids(self, state: JobState | None = None) -> list[str]:
        """The jobs it knows, in the order they came."""
        return [row.id for row in reversed(self.jobs(state, limit=1000))]
