"""Says why nothing moves, while somebody waits for a job."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from winepress.handle import JobHandle
from winepress_shared.errors import WinepressError

_LOOK_S = 2.0
_LEAVE_S = 1.0  #: a look that is stuck in an outage is not waited for


class StallWatch:
    """Looks again and again, in a thread of its own, while its ``with`` block runs."""

    def __init__(self, handle: JobHandle, say: Callable[[str], None], said: str = "") -> None:
        """``say`` hears each new reason; ``said`` is one that the user has read already."""
        self._handle = handle
        self._say = say
        self._said = said
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stall-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(_LEAVE_S)

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_S):
            with suppress(WinepressError, OSError):  # whoever waits meets it too, and tells it
                reason = self._handle.why_stalled
                if reason and reason != self._said and not self._over.is_set():
                    self._said = reason
                    self._say(reason)
