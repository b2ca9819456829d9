"""Pictures in progress as Server-Sent Events, in the form of OpenAI."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse

from winepress.aio.handle import AsyncJobHandle
from winepress.gateway.event_feed import KEEP_ALIVE_S, SSE_HEADERS, sse, with_pauses
from winepress.gateway.gateway import Gateway
from winepress.gateway.openai.errors import error_members
from winepress.gateway.openai.image_answer import USAGE, format_of
from winepress.gateway.problems import problem_of
from winepress.handle import raise_unless_succeeded
from winepress_shared.archive import Output
from winepress_shared.errors import WinepressError
from winepress_shared.ledger.events import Event, EventName


class ImageStream:
    """The previews of a job, as they come, and its pictures at the end."""

    def __init__(
        self, gateway: Gateway, job: AsyncJobHandle, partial_images: int, kind: str
    ) -> None:
        """``kind`` is the family of events: ``image_generation`` or ``image_edit``."""
        self._gateway = gateway
        self._job = job
        self._left = partial_images
        self._kind = kind
        self._sent = 0

    def response(self) -> StreamingResponse:
        """The response that sends them; a client that goes away does not stop the job."""
        return StreamingResponse(self._text(), media_type="text/event-stream", headers=SSE_HEADERS)

    async def _text(self) -> AsyncIterator[str]:
        try:
            async with self._job.events(steps=False) as events:
                async for event in with_pauses(events, KEEP_ALIVE_S):
                    if event is None:
                        yield ": still here\n\n"
                    elif event.name == EventName.PREVIEW and self._sent < self._left:
                        text = await self._partial(event)
                        if text:
                            yield text
                raise_unless_succeeded(events.ended or await self._job.status())
            async for output, content in self._job.files():
                yield self._completed(output, content)
        except WinepressError as error:
            yield f"data: {json.dumps({'error': error_members(problem_of(error))})}\n\n"

    async def _partial(self, event: Event) -> str | None:
        jpeg = await self._gateway.previews.get(self._job, event)
        if jpeg is None:  # the picture is finished
            return None
        index, self._sent = self._sent, self._sent + 1
        return self._event("partial_image", jpeg, output_format="jpeg", partial_image_index=index)

    def _completed(self, output: Output, content: bytes) -> str:
        return self._event(
            "completed",
            content,
            output_format=format_of(output),
            size=f"{output.width}x{output.height}",
            usage=USAGE,
            seed=output.seed,
        )

    def _event(self, name: str, content: bytes, **members: Any) -> str:
        kind = f"{self._kind}.{name}"
        values = {
            "type": kind,
            "b64_json": base64.b64encode(content).decode(),
            "background": "opaque",
            "created_at": int(time.time()),
            "quality": "auto",
            "size": "auto",
            "job": self._job.id,
        }
        return sse(kind, values | members)
