"""The handle of one submitted job, for an event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from winepress.aio.event_stream import AsyncEventStream
from winepress.handle import JobHandle, raise_unless_succeeded
from winepress_shared.archive import Output, Result
from winepress_shared.ledger.records import JobRow
from winepress_shared.state import JobState

if TYPE_CHECKING:
    from PIL import Image

    from winepress.aio.connections import AsyncConnections
    from winepress.estimate import Estimate
    from winepress_shared.ledger.previews import Preview


class AsyncJobHandle:
    """`JobHandle` for asyncio: its methods and properties are all methods to be awaited."""

    def __init__(self, connections: AsyncConnections, handle: JobHandle) -> None:
        self._connections = connections
        self._handle = handle
        self._run = connections.in_thread
        self.id = handle.id

    def __repr__(self) -> str:
        return f"AsyncJobHandle({self.id!r})"

    # -- state -------------------------------------------------------------------------------

    async def status(self) -> JobRow:
        """`JobHandle.status`."""
        return await self._run(self._handle.status)

    async def progress(self) -> float:
        """`JobHandle.progress`."""
        return await self._run(lambda: self._handle.progress)

    async def warnings(self) -> tuple[str, ...]:
        """`JobHandle.warnings`."""
        return await self._run(lambda: self._handle.warnings)

    async def why_impossible(self) -> str | None:
        """`JobHandle.why_impossible`."""
        return await self._run(lambda: self._handle.why_impossible)

    async def is_possible(self) -> bool:
        """`JobHandle.is_possible`."""
        return await self._run(lambda: self._handle.is_possible)

    async def why_stalled(self) -> str:
        """`JobHandle.why_stalled`."""
        return await self._run(lambda: self._handle.why_stalled)

    async def explain(self) -> str:
        """`JobHandle.explain`."""
        return await self._run(self._handle.explain)

    async def estimate(self) -> Estimate:
        """`JobHandle.estimate`."""
        return await self._run(self._handle.estimate)

    async def cancel(self) -> JobState:
        """`JobHandle.cancel`."""
        return await self._run(self._handle.cancel)

    # -- waiting -----------------------------------------------------------------------------

    async def wait(self, timeout: float | None = None) -> Self:
        """`JobHandle.wait`; a waiting task takes no thread."""
        events = self.events(timeout, steps=False)
        async for _ in events:
            pass
        raise_unless_succeeded(events.ended or await self.status())
        return self

    def events(
        self, timeout: float | None = None, *, after: str | None = None, steps: bool = True
    ) -> AsyncEventStream:
        """`JobHandle.events`, for ``async for``; a waiting task takes no thread."""
        return AsyncEventStream(self._connections, self.id, timeout, after, steps=steps)

    async def preview(self, unit: int = 0) -> Preview | None:
        """`JobHandle.preview`."""
        return await self._run(self._handle.preview, unit)

    # -- results -----------------------------------------------------------------------------

    async def result(self) -> Result:
        """`JobHandle.result`."""
        return await self._run(lambda: self._handle.result)

    async def files(self) -> AsyncIterator[tuple[Output, bytes]]:
        """`JobHandle.files`, for ``async for``."""
        files = self._handle.files()  # reads nothing before the first `next`
        while (found := await self._run(next, files, None)) is not None:
            yield found

    async def read(self, output: Output) -> bytes:
        """`JobHandle.read`."""
        return await self._run(self._handle.read, output)

    async def images(self) -> Sequence[Image.Image]:
        """`JobHandle.images`."""
        return await self._run(lambda: self._handle.images)

    async def save(self, folder: Path | str) -> Sequence[Path]:
        """`JobHandle.save`."""
        return await self._run(self._handle.save, folder)

    async def save_as(self, output: Output, path: Path) -> None:
        """`JobHandle.save_as`."""
        await self._run(self._handle.save_as, output, path)

    async def film(self) -> Output | None:
        """`JobHandle.film`."""
        return await self._run(lambda: self._handle.film)

    async def save_newest(self, path: Path) -> None:
        """`JobHandle.save_newest`."""
        await self._run(self._handle.save_newest, path)

    async def urls(self, expires_s: int = 3600) -> Sequence[str]:
        """`JobHandle.urls`."""
        return await self._run(self._handle.urls, expires_s)
