"""What a rendering process tells the farm about itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import psutil

from winepress_shared.ledger.records import BEAT_S
from winepress_worker.pipelines.warm_pool import WarmPool
from winepress_worker.renderer.batching import Batching
from winepress_worker.renderer.pace import Pace
from winepress_worker.renderer.unfit import Unfit
from winepress_worker.tally import Tally


class Description:
    """Models, paces and figures of one process."""

    def __init__(
        self,
        pool: WarmPool,
        unfit: Unfit,
        pace: Pace,
        batching: Batching,
        tally: Tally,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._unfit = unfit
        self._pace = pace
        self._batching = batching
        self._tally = tally
        self._clock = clock
        self._process = psutil.Process()
        self._told: object = None  # what others act on
        self._told_at = 0.0

    @property
    def warm(self) -> list[str]:
        """The models that are loaded, with their precision."""
        return [key.name for key in self._pool.warm]

    @property
    def is_due(self) -> bool:
        """Whether others would act on what is new, or the figures that were told are old."""
        return self._told != self._state or self._clock() - self._told_at > BEAT_S

    @property
    def _state(self) -> object:
        return self.warm, self._unfit.reasons, list(self._pace.rates())

    def facts(self) -> dict[str, Any]:
        """All of it, as it is now; it is taken as told."""
        self._told, self._told_at = self._state, self._clock()
        return {
            "pid": os.getpid(),
            "warm": self.warm,
            "unfit": self._unfit.reasons,
            "loads": self._pool.loads,
            "load_s": self._pool.load_s,
            "seconds_per_picture": self._pace.facts(),
            "megapixel_steps_per_s": self._pace.rates(),
            "pictures_per_call": self._batching.facts(),
            "step_s": round(self._pace.step_s, 4),
            "rss_mib": self._process.memory_info().rss >> 20,
            "model_mib": self._pool.used_bytes >> 20,
            "process": self._tally.process,
            "counts": self._tally.totals(),
        }
