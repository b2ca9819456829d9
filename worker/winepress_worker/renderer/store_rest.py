"""How long a lane rests when the store cannot be reached."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FIRST_MS = 1_000  #: a store that was only restarted is back by then
LONGEST_MS = 16_000


class StoreRest:
    """Rests get longer from one to the next, until something was stored again; for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_ms = FIRST_MS
        self._over_at = 0.0
        self._turn = threading.Lock()

    def begin(self) -> int:
        """Milliseconds to rest from now on; faults during one rest do not lengthen the next."""
        with self._turn:
            now = self._clock()
            if now >= self._over_at:
                rest_ms, self._next_ms = self._next_ms, min(2 * self._next_ms, LONGEST_MS)
                self._over_at = now + rest_ms / 1000
            return max(1, round(1000 * (self._over_at - now)))

    def end(self) -> None:
        """The store works: the next rest is short again."""
        self._next_ms = FIRST_MS
