"""Waiting for a job, with its progress told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from winepress.aio.handle import AsyncJobHandle
from winepress.views.progress import Progress
from winepress_shared.ledger.records import JobRow

#: Takes the percentage that is done, and all of the progress in one line.
Report = Callable[[float, str], Awaitable[None]]
_STEP = 0.01  #: of the whole job, between two reports


async def wait_until_over(
    handle: AsyncJobHandle, row: JobRow, seconds: float, report: Report
) -> None:
    """Return when the job has ended, in whatever state, or after ``seconds``.

    Each report tells of more than the one before, as MCP demands.
    """
    progress = Progress(row)
    told = progress.fraction
    await report(100 * told, progress.text.lstrip())
    if progress.is_over or not seconds:
        return
    try:
        async with handle.events(seconds) as events:
            async for event in events:
                progress.take(event)
                if progress.fraction >= told + _STEP:
                    told = progress.fraction
                    await report(100 * told, progress.text.lstrip())
    except TimeoutError:
        return
