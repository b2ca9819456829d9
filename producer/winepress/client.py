"""The client of a farm, for Python programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from winepress.caller_checks import check_limit, check_state, check_window
from winepress.connections import Connections
from winepress.control import CANCELED, cancel, drop, front, pause, reprioritise, resume, retry
from winepress.estimate import estimate_new
from winepress.explanation import estimate_job, explain, why_impossible, why_stalled
from winepress.handle import JobHandle, open_job
from winepress.pinning import pin, unpin
from winepress.recut import recut
from winepress.submission import record_of, submit
from winepress.submit_options import SubmitOptions
from winepress_shared.webhook import Webhook

if TYPE_CHECKING:
    from winepress.estimate import Estimate, Work
    from winepress_shared.jobs.job import Job, Priority
    from winepress_shared.ledger.records import JobRow, Worker
    from winepress_shared.state import JobState
    from winepress_shared.window import Window


class Client(Connections):
    """Submits jobs to one farm and controls them; threads may share it.

    It connects at the first call that needs a connection. Every method raises FarmUnreachable when
    the broker or the store does not work.
    """

    # -- submitting --------------------------------------------------------------------------

    def submit(
        self,
        job: Job,
        *,
        user: str | None = None,
        idempotency_key: str | None = None,
        expires_in: float | None = None,
        start_in: float | None = None,
        window: Window | str | None = None,
        warnings: Sequence[str] = (),
        webhook: Webhook | str | None = None,
    ) -> JobHandle:
        """Queue a job; it is accepted once this returns.

        The same ``idempotency_key`` of the same user within a day returns the earlier job.
        ``expires_in`` is the deadline and ``start_in`` the earliest start, in seconds from now.
        ``window`` limits the job to a part of each day: a Window, or text like ``22:00-06:00`` in
        local time. Each option that the model ignores is logged as a warning, and listed in
        `JobHandle.warnings` and in the result; ``warnings`` are the caller's own sentences, added
        to those. ``webhook`` is an http(s) URL that is told when the job ends, or a `Webhook` that
        names other events too. Raises WrongUsage for an invalid window. Raises InvalidJob,
        UnknownModel, QueueFull or Conflict when the job is refused; then nothing of it is left
        behind.
        """
        submit_options = SubmitOptions(
            self.settings.user if user is None else user,
            idempotency_key,
            expires_in,
            start_in,
            check_window(window),
            webhook=Webhook.of(webhook) if isinstance(webhook, str) else webhook,
        )
        record = record_of(self, job, submit_options, warnings)
        (job_id,) = submit(self, [record], submit_options)
        return JobHandle(self, job_id, record.warnings)

    def submit_many(self, jobs: Iterable[Job], *, user: str | None = None) -> Sequence[JobHandle]:
        """Queue many jobs in order: all of them, or none when one is refused.

        Raises what `submit` raises.
        """
        submit_options = SubmitOptions(self.settings.user if user is None else user)
        records = [record_of(self, job, submit_options) for job in jobs]
        ids = submit(self, records, submit_options)
        return [
            JobHandle(self, job_id, record.warnings)
            for job_id, record in zip(ids, records, strict=True)
        ]

    def recut(self, job_id: str, *, user: str | None = None, **film: Any) -> JobHandle:
        """Queue another film of a zoom's key frames, and draw nothing.

        ``film`` are fields of `FilmCut`. Raises what `submit` raises, NotFound for an unknown job,
        and Conflict while key frames are missing.
        """
        return self.submit(recut(self, job_id, film), user=user)

    # -- jobs --------------------------------------------------------------------------------

    def get(self, job_id: str) -> JobHandle:
        """The handle of a job; raises NotFound.

        A job whose record has expired is found while the store still holds its pictures.
        """
        return open_job(self, job_id)

    def cancel(self, job_id: str, reason: str = CANCELED) -> JobState:
        """Stop a job and keep its finished pictures.

        Raises NotFound, and Conflict when the job has ended.
        """
        return cancel(self, job_id, reason)

    def pause(self, job_id: str) -> JobState:
        """Hand out no more pictures of a job; workers finish those they have in hand.

        Raises NotFound, and Conflict when the job has ended.
        """
        return pause(self, job_id)

    def resume(self, job_id: str) -> JobState:
        """Continue a paused job; raises NotFound, and Conflict when the job has ended."""
        return resume(self, job_id)

    def retry(self, job_id: str) -> JobState:
        """Render the missing pictures of a failed, canceled or expired job.

        Of a job that is still worked on, render those that it has given up. Raises NotFound, and
        Conflict where nothing is missing.
        """
        return retry(self, job_id)

    def drop(self, job_id: str) -> JobState:
        """Take a job off the list `dead`; nothing else of it changes. Raises NotFound."""
        return drop(self, job_id)

    def pin(self, job_id: str) -> None:
        """Keep a job listed, and its objects in the store, until `unpin`.

        Raises NotFound, and Conflict while its objects are being deleted.
        """
        pin(self, job_id)

    def unpin(self, job_id: str) -> None:
        """Let a job go in time; raises NotFound."""
        unpin(self, job_id)

    def front(self, job_id: str) -> JobState:
        """Move a job before the other jobs of its user and priority; other users keep their turns.

        Raises NotFound, and Conflict when the job has ended.
        """
        return front(self, job_id)

    def reprioritise(self, job_id: str, priority: Priority) -> JobState:
        """Move the waiting pictures of a job to another priority.

        Raises NotFound, Conflict when the job has ended, and WrongUsage for an unknown priority.
        """
        return reprioritise(self, job_id, priority)

    def explain(self, job_id: str) -> str:
        """Why a job waits, fails or does not move, and what to do about it; raises NotFound."""
        return explain(self, job_id)

    def estimate(self, job_id: str) -> Estimate:
        """Place in the queue, start, end and time limit, by the measured pace; raises NotFound."""
        return estimate_job(self, job_id)

    def estimate_new(self, work: Work, user: str | None = None) -> Estimate:
        """The same for a job submitted now."""
        return estimate_new(self, work, user or self.settings.user)

    def why_impossible(self, lane: str) -> str | None:
        """Why no live worker can serve ``lane``; None when one can."""
        return why_impossible(lane, self.workers())

    def why_stalled(self, job_id: str) -> str:
        """What keeps a job from being worked on now, in sentences; empty when nothing does.

        Raises NotFound.
        """
        return why_stalled(self, job_id)

    # -- farm --------------------------------------------------------------------------------

    def workers(self) -> Sequence[Worker]:
        """Every live worker."""
        return self.ledger.workers()

    def recover(self) -> Sequence[JobHandle]:
        """Bring back what the broker or the store has lost; returns the jobs that needed it.

        See `recovery.Recovery`, which also looks without changing anything.
        """
        from winepress.recovery import recover  # few clients ever do

        return [JobHandle(self, job_id) for job_id in recover(self)]

    def dead(self, limit: int = 100) -> Sequence[JobRow]:
        """The jobs that last gave up pictures, until they are retried or dropped."""
        return self.job_pages.dead(check_limit(limit))

    def list(self, state: JobState | None = None, limit: int = 100) -> Sequence[JobRow]:
        """The newest jobs, newest first; raises WrongUsage for an invalid state or limit."""
        return self.ledger.jobs(check_state(state), check_limit(limit))
