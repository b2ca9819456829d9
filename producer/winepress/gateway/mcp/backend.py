"""The farm, as one caller of the tools may use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from winepress.aio.client import AsyncClient
from winepress.handle import JobHandle
from winepress_shared.archive import Output
from winepress_shared.ledger.records import JobRow, Worker


class Backend(Protocol):
    """What a tool needs of a farm; over HTTP a caller has its own jobs alone."""

    @property
    def client(self) -> AsyncClient:
        """The connections."""

    @property
    def models(self) -> frozenset[str] | None:
        """The models that may be asked for; None is all."""

    async def submit(self, fields: Mapping[str, Any]) -> JobHandle:
        """Queue the job with these fields; raises what `Client.submit` raises."""

    async def row(self, job_id: str) -> JobRow:
        """A job that the caller may see; raises NotFound."""

    async def row_to_control(self, job_id: str) -> JobRow:
        """A job that the caller may cancel; raises NotFound and Forbidden."""

    def workers(self) -> Sequence[Worker]:
        """Every live worker; blocks."""

    def link(self, handle: JobHandle, output: Output) -> str:
        """Where the user opens a finished picture or film; blocks."""
