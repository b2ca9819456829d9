"""Small pictures of unfinished units, kept in Redis, one per unit, with a time to live.

They are not in the store, where they would have to be deleted, nor in the events, which are kept
for an hour after the job. A farm holds at most `MAX_PREVIEW_BYTES` for every picture in progress
within the last `KEPT_MS`.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import Settings

MAX_PREVIEW_BYTES = 16_384  #: of one JPEG
KEPT_MS = 60_000  #: after it was drawn


@dataclass(frozen=True)
class Preview:
    """A small picture of one unit after some of its steps."""

    unit: int
    step: int
    steps: int
    jpeg: bytes


class PreviewStore:
    """Stores and returns previews; methods raise BrokerUnreachable."""

    def __init__(self, settings: Settings, server: ScriptServer | None = None) -> None:
        """``server`` is one that others use too; without it this opens its own."""
        self._prefix = f"{settings.farm}:"
        self._server = server or ScriptServer(settings, self._prefix)

    def put(self, fence: int, preview: Preview) -> None:
        """Store a preview of a unit of the slice ``fence``, and add an event for watchers.

        Does nothing if the slice is lost; raises ValueError if the preview exceeds
        `MAX_PREVIEW_BYTES`.
        """
        if len(preview.jpeg) > MAX_PREVIEW_BYTES:
            raise ValueError(f"preview too large: {len(preview.jpeg)} bytes")
        text = base64.b64encode(preview.jpeg).decode("ascii")
        place = (fence, preview.unit, preview.step, preview.steps)
        self._server.run("preview", *place, text, KEPT_MS)

    def get(self, job_id: str, unit: int) -> Preview | None:
        """The newest preview of a unit; None if there is none or it has expired."""
        with self._server.reaching():
            found = self._server.client.get(f"{self._prefix}preview:{job_id}:{unit}")
        if not isinstance(found, str):
            return None
        try:
            step, steps, text = found.split(" ")
            return Preview(unit, int(step), int(steps), base64.b64decode(text, validate=True))
        except (ValueError, binascii.Error):
            return None

    def close(self) -> None:
        """Close the connections."""
        self._server.close()
