"""The warm pool: compiled pipelines kept in memory, within a budget, least recently used out."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from winepress_shared.errors import Environment
from winepress_worker.engines.base import Engine, Pipeline, PipelineKey

_MIB = 2**20


class WarmPool:
    """Pipelines by key, ordered by their last use. Not thread-safe."""

    def __init__(
        self,
        engine: Engine,
        budget_bytes: int,
        *,
        idle_ttl_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Unused for ``idle_ttl_s`` seconds means `unload_idle` takes it; None is never."""
        self._engine = engine
        self._budget = budget_bytes
        self._idle_ttl_s = idle_ttl_s
        self._clock = clock
        self._pipelines: OrderedDict[PipelineKey, Pipeline] = OrderedDict()
        self._last_used: dict[PipelineKey, float] = {}
        self._measured: dict[PipelineKey, int] = {}
        self._pins: set[PipelineKey] = set()

    @property
    def warm(self) -> tuple[PipelineKey, ...]:
        """What is loaded, most recently used first."""
        return tuple(reversed(self._pipelines))

    @property
    def used_bytes(self) -> int:
        """What the loaded pipelines hold, as they measured it."""
        return sum(pipeline.footprint for pipeline in self._pipelines.values())

    @property
    def free_bytes(self) -> int:
        """What is left of the budget; never below 0."""
        return max(0, self._budget - self.used_bytes)

    def get(self, key: PipelineKey) -> Pipeline:
        """The pipeline of ``key``, loaded if need be after others made room.

        Raises Environment when it cannot fit beside the pinned ones, and what the engine raises.
        """
        if key not in self._pipelines:
            self._make_room(self._need(key), key)
            self._pipelines[key] = self._engine.load(key)
        self._pipelines.move_to_end(key)
        self._last_used[key] = self._clock()
        # Again on every use: a pipeline grows when it meets a new kind of job or a larger size.
        self._measured[key] = self._pipelines[key].footprint
        self._evict_until(0, keep=key)
        return self._pipelines[key]

    def pin(self, key: PipelineKey) -> None:
        """Never unload ``key`` once it is loaded."""
        self._pins.add(key)

    def unpin(self, key: PipelineKey) -> None:
        """Let ``key`` be unloaded again."""
        self._pins.discard(key)

    def unload_idle(self) -> tuple[PipelineKey, ...]:
        """Unload what nobody has used for the idle time; returns their keys."""
        if self._idle_ttl_s is None:
            return ()
        latest = self._clock() - self._idle_ttl_s
        idle = [key for key in self._evictable() if self._last_used[key] <= latest]
        for key in idle:
            self._unload(key)
        return tuple(idle)

    def close(self) -> None:
        """Unload everything, pinned or not."""
        for key in tuple(self._pipelines):
            self._unload(key)

    def _need(self, key: PipelineKey) -> int:
        return self._measured.get(key) or self._engine.estimate(key)

    def _make_room(self, need: int, key: PipelineKey) -> None:
        pinned = sum(self._pipelines[pin].footprint for pin in self._pins & set(self._pipelines))
        if need > self._budget - pinned:
            raise Environment(
                f"{key.model}.{key.precision.value} needs more memory than this worker may use",
                value=f"{need // _MIB} MiB",
                allowed=f"{(self._budget - pinned) // _MIB} MiB",
                hint="start the worker with a larger --memory-budget",
            )
        self._evict_until(need, keep=key)

    def _evict_until(self, free_bytes: int, keep: PipelineKey) -> None:
        """Unload the least recently used until ``free_bytes`` are left of the budget."""
        for key in self._evictable():
            if self.used_bytes + free_bytes <= self._budget:
                return
            if key != keep:
                self._unload(key)

    def _evictable(self) -> list[PipelineKey]:
        """Loaded and not pinned, least recently used first."""
        return [key for key in self._pipelines if key not in self._pins]

    def _unload(self, key: PipelineKey) -> None:
        self._pipelines.pop(key).close()
        del self._last_used[key]
