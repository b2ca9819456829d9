"""The gateway of one farm: what the routes of every dialect share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

from fastapi import Request

from winepress.aio.client import AsyncClient
from winepress.aio.handle import AsyncJobHandle
from winepress.caller_checks import check_job_id
from winepress.client import Client
from winepress.gateway.access import Caller
from winepress.gateway.key_ring import KeyRing
from winepress.gateway.links import Links, read_link_secret
from winepress.gateway.live_workers import LiveWorkers
from winepress.gateway.preview_cache import PreviewCache
from winepress.gateway.refusals import Forbidden, Gone
from winepress.gateway.webhooks.guard import WebhookGuard
from winepress.handle import JobHandle
from winepress.metrics.farm_metrics import FarmMetrics
from winepress_shared.archive import Output
from winepress_shared.errors import FailForGood, InvalidJob, NotFound, ObjectMissing
from winepress_shared.jobs.job_record import JobRecord
from winepress_shared.ledger.records import JobRow, unknown_job
from winepress_shared.settings import Settings

_MOST_PLANNED = 2  #: batches


@dataclass(frozen=True)
class Gateway:
    """The connections and the secrets of one gateway process."""

    client: AsyncClient
    settings: Settings
    links: Links
    previews: PreviewCache
    keys: KeyRing
    workers: LiveWorkers
    planning: asyncio.Semaphore  #: batches that are read at a time: each may take much memory
    webhook_guard: WebhookGuard
    probing: asyncio.Lock  #: anybody may ask whether the farm answers: one at a time
    metrics: FarmMetrics

    @classmethod
    async def open(cls, settings: Settings) -> Gateway:
        """Connect to the farm; raises FarmUnreachable."""
        client = AsyncClient(settings)
        client.client.service = "winepress-gateway"
        secret = await client.in_thread(read_link_secret, client.client)
        return cls(
            client,
            settings,
            Links(secret),
            PreviewCache(),
            KeyRing(client),
            LiveWorkers(client.client),
            asyncio.Semaphore(_MOST_PLANNED),
            WebhookGuard(settings.webhook_allow),
            asyncio.Lock(),
            FarmMetrics(client.client),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()

    # -- jobs of a caller --------------------------------------------------------------------

    async def row_for(self, caller: Caller, job_id: str) -> JobRow:
        """A job that the caller may see; raises NotFound, and Gone when its record has expired.

        Another caller's job is not found: nobody learns that it exists.
        """
        row = await self.client.in_thread(self._row, caller, job_id)
        if not caller.may_read(row):
            raise unknown_job(job_id)
        return row

    async def row_to_control(self, caller: Caller, job_id: str) -> JobRow:
        """The same for a change; raises Forbidden if the caller may only see the job."""
        row = await self.client.in_thread(self._row, caller, job_id)
        if not caller.may_control(row):
            if caller.may_read(row):
                raise Forbidden("this key may not change this job", value=job_id)
            raise unknown_job(job_id)
        return row

    def handle(self, job_id: str) -> AsyncJobHandle:
        """The handle of a job that is known to exist; reads nothing."""
        return AsyncJobHandle(self.client, JobHandle(self.client.client, job_id))

    def _row(self, caller: Caller, job_id: str) -> JobRow:
        client = self.client.client
        check_job_id(job_id)
        try:
            return client.ledger.get(job_id)
        except NotFound:
            stored = stored_job(client, job_id)
            if stored is None or not caller.may_read(stored):
                raise
            raise Gone(
                "the record of this job has expired",
                value=job_id,
                hint=f"Its pictures may still be in the store: `winepress fetch {job_id}`",
            ) from None

    # -- addresses ---------------------------------------------------------------------------

    def address(self, request: Request, path: str) -> str:
        """The absolute address of a path, as the client reaches this gateway."""
        base = self.settings.public_url or str(request.base_url)
        return f"{base.rstrip('/')}{path}"

    def output_url(self, request: Request, job_id: str, output: Output) -> str:
        """A link to an output that opens without a key, for a day."""
        name = output.key.rpartition("/")[2]
        return self.address(request, self.links.path(job_id, name))


def stored_job(client: Client, job_id: str) -> JobRecord | None:
    """A job as the store holds it, which outlives its row; None if it never existed."""
    try:
        return client.archive.read_job(job_id)
    except (ObjectMissing, FailForGood, InvalidJob):
        return None


def gateway_of(request: Request) -> Gateway:
    """The gateway that serves a request; a dependency of routes."""
    return cast("Gateway", request.app.state.gateway)
