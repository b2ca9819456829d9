"""How much of a farm's work has ended, looked at often: throughput, and time to recover."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress

from winepress_deploy.services.repeated import Repeated
from winepress_shared.errors import BrokerUnreachable

_LOOK_S = 0.02


class ProgressMeter(Repeated):
    """Looks while inside; an outage of the broker is a time without looks."""

    def __init__(self, count: Callable[[], int]) -> None:
        """``count`` is what has ended so far; it may raise BrokerUnreachable."""
        super().__init__("progress meter", _LOOK_S)
        self._count = count
        self._times: list[float] = []  # when each new number was first seen
        self._counts: list[int] = []

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

    def _turn(self) -> float:
        with suppress(BrokerUnreachable):
            count = self._count()
            if not self._counts or count > self._counts[-1]:
                self._counts.append(count)
                self._times.append(time.monotonic())
        return _LOOK_S
