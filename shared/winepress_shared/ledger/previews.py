"""Small pictures of what is being drawn; they live in Redis, one a unit, and vanish by themselves.

Not in the store: nobody would clear them away. Not in the events: those are kept for an hour after
the job, and hundreds of them at that. A farm holds one of at most `MAX_PREVIEW_BYTES` for every
picture that was in hand within the last `KEPT_MS`.
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
    """What one unit looked like after some of its steps."""

    unit: int
    step: int
    steps: int
    jpeg: bytes


class PreviewStore:
    """Keeps and hands out previews; methods raise BrokerUnreachable."""

    def __init__(self, settings: Settings, server: ScriptServer | None = None) -> None:
        """``server`` is one that others use too; without it this opens its own."""
        self._prefix = f"{settings.farm}:"
        self._server = server or ScriptServer(settings, self._prefix)

    def put(self, fence: int, preview: Preview) -> None:
        """Show a preview of a unit of the slice ``fence``, and tell whoever watches the job.

        Does nothing when the slice belongs to somebody else by now; raises ValueError when it is
        larger than `MAX_PREVIEW_BYTES`.
        """
        if len(preview.jpeg) > MAX_PREVIEW_BYTES:
            raise ValueError(f"a preview of {len(preview.jpeg)} bytes")
        text = base64.b64encode(preview.jpeg).decode("ascii")
        place = (fence, preview.unit, preview.step, preview.steps)
        self._server.run("preview", *place, text, KEPT_MS)

    def get(self, job_id: str, unit: int) -> Preview | None:
        """The newest preview of a unit; None when there is none, or none any more."""
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
        """Give the connections back."""
        self._server.close()
