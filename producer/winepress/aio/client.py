"""The client of a farm, for programs with an event loop."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from winepress.aio.connections import AsyncConnections
from winepress.aio.handle import AsyncJobHandle
from winepress.control import CANCELED
from winepress.handle import JobHandle
from winepress_shared.errors import WinepressError
from winepress_shared.jobs.job import Job, Priority
from winepress_shared.ledger.records import JobRow, Worker
from winepress_shared.state import JobState

if TYPE_CHECKING:
    from winepress.estimate import Estimate, Work
    from winepress_shared.webhook import Webhook
    from winepress_shared.window import Window

log = logging.getLogger(__name__)


class AsyncClient(AsyncConnections):
    """`Client` for asyncio: the same methods, arguments and errors, to be awaited.

    No method blocks the loop. A canceled task ends at once. A change that it had begun is
    completed in its thread, except for a submission, which is undone.
    """

    # -- submitting --------------------------------------------------------------------------

    async def submit(
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
    ) -> AsyncJobHandle:
        """`Client.submit`.

        A canceled submission with an ``idempotency_key`` is not undone: the next submission with
        this key finds the job.
        """
        call = partial(
            self.client.submit,
            job,
            user=user,
            idempotency_key=idempotency_key,
            expires_in=expires_in,
            start_in=start_in,
            window=window,
            warnings=warnings,
            webhook=webhook,
        )
        undo = self._take_back if idempotency_key is None else None
        return AsyncJobHandle(self, await self.threads().run(call, undo))

    async def submit_many(
        self, jobs: Iterable[Job], *, user: str | None = None
    ) -> Sequence[AsyncJobHandle]:
        """`Client.submit_many`; a thread iterates over ``jobs``."""
        call = partial(self.client.submit_many, jobs, user=user)
        handles = await self.threads().run(call, self._take_back_all)
        return [AsyncJobHandle(self, handle) for handle in handles]

    async def recut(self, job_id: str, *, user: str | None = None, **film: Any) -> AsyncJobHandle:
        """`Client.recut`."""
        call = partial(self.client.recut, job_id, user=user, **film)
        return AsyncJobHandle(self, await self.threads().run(call, self._take_back))

    def _take_back_all(self, handles: Sequence[JobHandle]) -> None:
        for handle in handles:
            self._take_back(handle)

    def _take_back(self, handle: JobHandle) -> None:
        try:
            self.client.cancel(handle.id, "its submission was canceled")
        except WinepressError as error:
            log.warning(
                "job %s continues although its submission was canceled: %s", handle.id, error
            )

    # -- jobs --------------------------------------------------------------------------------

    async def get(self, job_id: str) -> AsyncJobHandle:
        """`Client.get`."""
        return AsyncJobHandle(self, await self.in_thread(self.client.get, job_id))

    async def cancel(self, job_id: str, reason: str = CANCELED) -> JobState:
        """`Client.cancel`."""
        return await self.in_thread(self.client.cancel, job_id, reason)

    async def pause(self, job_id: str) -> JobState:
        """`Client.pause`."""
        return await self.in_thread(self.client.pause, job_id)

    async def resume(self, job_id: str) -> JobState:
        """`Client.resume`."""
        return await self.in_thread(self.client.resume, job_id)

    async def retry(self, job_id: str) -> JobState:
        """`Client.retry`."""
        return await self.in_thread(self.client.retry, job_id)

    async def drop(self, job_id: str) -> JobState:
        """`Client.drop`."""
        return await self.in_thread(self.client.drop, job_id)

    async def pin(self, job_id: str) -> None:
        """`Client.pin`."""
        await self.in_thread(self.client.pin, job_id)

    async def unpin(self, job_id: str) -> None:
        """`Client.unpin`."""
        await self.in_thread(self.client.unpin, job_id)

    async def front(self, job_id: str) -> JobState:
        """`Client.front`."""
        return await self.in_thread(self.client.front, job_id)

    async def reprioritise(self, job_id: str, priority: Priority) -> JobState:
        """`Client.reprioritise`."""
        return await self.in_thread(self.client.reprioritise, job_id, priority)

    async def explain(self, job_id: str) -> str:
        """`Client.explain`."""
        return await self.in_thread(self.client.explain, job_id)

    async def estimate(self, job_id: str) -> Estimate:
        """`Client.estimate`."""
        return await self.in_thread(self.client.estimate, job_id)

    async def estimate_new(self, work: Work, user: str | None = None) -> Estimate:
        """`Client.estimate_new`."""
        return await self.in_thread(self.client.estimate_new, work, user)

    async def why_impossible(self, lane: str) -> str | None:
        """`Client.why_impossible`."""
        return await self.in_thread(self.client.why_impossible, lane)

    async def why_stalled(self, job_id: str) -> str:
        """`Client.why_stalled`."""
        return await self.in_thread(self.client.why_stalled, job_id)

    # -- farm --------------------------------------------------------------------------------

    async def dead(self, limit: int = 100) -> Sequence[JobRow]:
        """`Client.dead`."""
        return await self.in_thread(self.client.dead, limit)

    async def workers(self) -> Sequence[Worker]:
        """`Client.workers`."""
        return await self.in_thread(self.client.workers)

    async def recover(self) -> Sequence[AsyncJobHandle]:
        """`Client.recover`."""
        handles = await self.in_thread(self.client.recover)
        return [AsyncJobHandle(self, handle) for handle in handles]

    async def list(self, state: JobState | None = None, limit: int = 100) -> Sequence[JobRow]:
        """`Client.list`."""
        return await self.in_thread(self.client.list, state, limit)
