"""Events of a job as Server-Sent Events."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse

from winepress.aio.event_stream import AsyncEventStream
from winepress.aio.handle import AsyncJobHandle
from winepress.gateway.preview_cache import PreviewCache
from winepress.gateway.problems import problem_of
from winepress_shared.errors import WinepressError
from winepress_shared.ledger.events import Event, EventName

KEEP_ALIVE_S = 15.0  #: proxies cut connections that are silent for a minute
_RETRY_MS = 2_000  #: after which a browser connects again
SSE_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventFeed:
    """The events of one job for one client, until the job ends or the client leaves."""

    def __init__(
        self, handle: AsyncJobHandle, previews: PreviewCache | None, after: str | None
    ) -> None:
        """``previews`` adds the picture to each event ``preview``; None leaves it out."""
        self._handle = handle
        self._previews = previews
        self._events = handle.events(after=after)

    def response(self) -> StreamingResponse:
        """The response that sends them."""
        return StreamingResponse(self._text(), media_type="text/event-stream", headers=SSE_HEADERS)

    async def _text(self) -> AsyncIterator[str]:
        yield f"retry: {_RETRY_MS}\n\n"
        async with self._events as events:
            try:
                async for event in with_pauses(events, KEEP_ALIVE_S):
                    if event is None:
                        yield ": still here\n\n"
                    elif event.name != EventName.DAMAGED:
                        yield sse(event.name, await self._data(event), event.id)
            except WinepressError as error:
                yield sse("error", problem_of(error).document())

    async def _data(self, event: Event) -> dict[str, Any]:
        data: dict[str, Any] = {"job": self._handle.id, "event": event.name, "at": event.at}
        data |= {name: _plain(name, value) for name, value in event.fields.items()}
        if event.name == EventName.PREVIEW and self._previews is not None:
            jpeg = await self._previews.get(self._handle, event)
            if jpeg is not None:
                data["image"] = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
        return data


_COUNTS = ("unit", "step", "steps", "done", "failed", "units")


def _plain(name: str, value: str) -> str | int | bool:
    """A field as JSON has it: a count is a number, a switch is true or false."""
    if name == "paused":
        return value == "1"
    return int(value) if name in _COUNTS and value.isdecimal() else value


def sse(name: str, data: dict[str, Any], event_id: str | None = None) -> str:
    """One Server-Sent Event; JSON has no line breaks, and event names have none either."""
    position = f"id: {event_id}\n" if event_id else ""
    return f"{position}event: {name}\ndata: {json.dumps(data)}\n\n"


async def with_pauses(events: AsyncEventStream, pause_s: float) -> AsyncIterator[Event | None]:
    """Every event, and None after each ``pause_s`` without one."""
    while True:
        try:
            async with asyncio.timeout(pause_s):
                event = await anext(events)
        except TimeoutError:
            yield None
        except StopAsyncIteration:
            return
        else:
            yield event
