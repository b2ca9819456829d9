"""How many jobs of a farm have succeeded, looked at often: throughput, and time to recover."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import redis
from faults.harness.farm import StruckFarm

_LOOK_S = 0.02


@dataclass(frozen=True)
class Look:
    """A new number, when it was first seen."""

    at: float  #: of the monotonic clock
    ended: int  #: jobs that have succeeded


class ProgressMeter:
    """Looks while inside; an outage of the broker is a time without looks."""

    def __init__(self, farm: StruckFarm) -> None:
        self._farm = farm
        self.looks: list[Look] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress meter", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def first_after(self, at: float) -> float | None:
        """When the first job succeeded after a moment; None if none has yet."""
        before = 0
        for look in self.looks:
            if look.at <= at:
                before = look.ended
            elif look.ended > before:
                return look.at
        return None

    def rate(self, since: float, until: float) -> float:
        """Jobs per second between two moments."""
        counts = [look.ended for look in self.looks if since <= look.at <= until]
        return (counts[-1] - counts[0]) / (until - since) if counts else 0.0

    def _watch(self) -> None:
        index, last = self._farm.key("jobs:succeeded"), 0
        while not self._over.wait(_LOOK_S):
            with suppress(redis.ConnectionError, redis.TimeoutError):
                ended = int(self._farm.broker.zcard(index))  # type: ignore[arg-type]
                if ended > last:
                    last = ended
                    self.looks.append(Look(time.monotonic(), ended))
