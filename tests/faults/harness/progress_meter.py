"""How much of a farm's work has ended, looked at often: throughput, and time to recover."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from winepress_shared.errors import BrokerUnreachable

_LOOK_S = 0.02


class ProgressMeter:
    """Looks while inside; an outage of the broker is a time without looks."""

    def __init__(self, count: Callable[[], int]) -> None:
        """``count`` is what has ended so far; it may raise BrokerUnreachable."""
        self._count = count
        self._times: list[float] = []  # when each new number was first seen
        self._counts: list[int] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress meter", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def first_after(self, at: float) -> float | None:
        """When more was first seen after a moment; None if it has not been."""
        later = bisect_right(self._times, at)
        return self._times[later] if later < len(self._times) else None

    def rate(self, since: float, until: float) -> float:
        """How many ended per second between two moments."""
        return (self._at(until) - self._at(since)) / (until - since)

    def _at(self, moment: float) -> int:
        earlier = bisect_right(self._times, moment)
        return self._counts[earlier - 1] if earlier else 0

    def _watch(self) -> None:
        last = -1
        while not self._over.wait(_LOOK_S):
            with suppress(BrokerUnreachable):
                count = self._count()
                if count > last:
                    last = count
                    self._counts.append(count)
                    self._times.append(time.monotonic())
