"""The tools over stdin and stdout, for an assistant on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp.server.stdio import stdio_server

from winepress.aio.client import AsyncClient
from winepress.gateway.mcp.server import make_server
from winepress.gateway.requested_job import read_job
from winepress.handle import JobHandle, file_name
from winepress_shared.archive import Output
from winepress_shared.errors import WrongUsage
from winepress_shared.ledger.records import JobRow, Worker
from winepress_shared.settings import Settings

_LINK_S = 24 * 3600  #: lifetime of a presigned link


@dataclass(frozen=True)
class LocalBackend:
    """The whole farm, for who has its settings; a `Backend`."""

    client: AsyncClient
    out: Path | None = None  #: folder for finished pictures; None: links to the store
    models: frozenset[str] | None = None

    async def submit(self, fields: Mapping[str, Any]) -> JobHandle:
        """`Backend.submit`; a call that is canceled meanwhile does not undo it."""
        return await self.client.in_thread(self._submit, fields)

    def _submit(self, fields: Mapping[str, Any]) -> JobHandle:
        client = self.client.client
        job, warnings = read_job(client, fields)
        return client.submit(job, warnings=warnings)

    async def row(self, job_id: str) -> JobRow:
        """`Backend.row`."""
        return await self.client.in_thread(self.client.client.ledger.get, job_id)

    async def row_to_control(self, job_id: str) -> JobRow:
        """`Backend.row_to_control`."""
        return await self.row(job_id)

    def workers(self) -> Sequence[Worker]:
        """`Backend.workers`."""
        return self.client.client.workers()

    def link(self, handle: JobHandle, output: Output) -> str:
        """`Backend.link`: the path of a saved file, or a link to the store."""
        if self.out is None:
            return self.client.client.archive.store.url(output.key, _LINK_S)
        path = self.out.absolute() / file_name(handle.id, output.key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle.save_as(output, path)
        except OSError as error:
            raise WrongUsage(
                f"cannot save here: {error.strerror}",
                value=str(path),
                hint=f"The farm keeps it: `winepress fetch {handle.id}` saves it elsewhere",
            ) from None
        return str(path)


async def serve(settings: Settings, out: Path | None) -> None:
    """Serve the farm until stdin ends; jobs go on after that."""
    async with AsyncClient(settings) as client:
        backend = LocalBackend(client, out)
        server = make_server(lambda _: backend)
        async with stdio_server() as (read_stream, write_stream):
            await server.run(read_stream, write_stream, server.create_initialization_options())
