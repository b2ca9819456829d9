"""Says why nothing moves, while somebody waits for jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import cycle, islice
from typing import Self

from winepress.handle import JobHandle
from winepress_shared.errors import WinepressError

_LOOK_S = 2.0
_LEAVE_S = 1.0  #: a look that is stuck in an outage is not waited for
_MOST_LOOKED_AT = 8  #: jobs in one look; of more, it is the turn of each


class StallWatch:
    """Looks again and again, in a thread of its own, while its ``with`` block runs."""

    def __init__(
        self,
        handles: Sequence[JobHandle],
        say: Callable[[JobHandle, str], None],
        said: str = "",
    ) -> None:
        """``say`` hears each new reason; ``said`` is one that the user has read already."""
        self._handles = handles
        self._say = say
        self._said = {handle.id: said for handle in handles}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stall-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(_LEAVE_S)

    def _watch(self) -> None:
        turns = cycle(self._handles)
        while not self._over.wait(_LOOK_S):
            for handle in islice(turns, min(len(self._handles), _MOST_LOOKED_AT)):
                self._look(handle)

    def _look(self, handle: JobHandle) -> None:
        with suppress(WinepressError, OSError):  # whoever waits meets it too, and tells it
            reason = handle.why_stalled
            if reason and reason != self._said[handle.id] and not self._over.is_set():
                self._said[handle.id] = reason
                self._say(handle, reason)
