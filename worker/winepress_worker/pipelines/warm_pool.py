"""The warm pool: compiled pipelines kept in memory, within a budget, least recently used out."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from winepress_shared.errors import EnvironmentFault, FailForGood, RetryElsewhere
from winepress_shared.polling import poll
from winepress_worker.engines.base import Engine, Pipeline, PipelineKey
from winepress_worker.host_budget import HostBudget
from winepress_worker.tally import Tally

_MIB = 2**20
_OTHERS_S = 5.0  #: other workers of the machine have so long to give unused memory back
_LOOK_S = 0.1


class WarmPool:
    """Pipelines by key, ordered by their last use.

    One thread gets pipelines and uses them; `preload` may be called by a second one meanwhile.
    """

    def __init__(
        self,
        engine: Engine,
        budget_bytes: int,
        *,
        idle_ttl_s: float | None = None,
        host: HostBudget | None = None,
        clock: Callable[[], float] = time.monotonic,
        tally: Tally | None = None,
    ) -> None:
        """`unload_idle` unloads what was unused for ``idle_ttl_s`` seconds; None is never.

        ``host`` bounds what all workers of the machine hold together; ``tally`` counts loads.
        """
        self._engine = engine
        self._budget = budget_bytes
        self._idle_ttl_s = idle_ttl_s
        self._host = host
        self._clock = clock
        self._changed = threading.Condition(threading.RLock())
        self._pipelines: OrderedDict[PipelineKey, Pipeline] = OrderedDict()
        self._coming: dict[PipelineKey, int] = {}  # being preloaded, and what that will need
        self._last_used: dict[PipelineKey, float] = {}
        self._measured: dict[PipelineKey, int] = {}
        self._pins: set[PipelineKey] = set()
        self._awaited: set[PipelineKey] = set()  # by `get`, while they are being preloaded
        self._tally = tally or Tally()
        self.loads = 0  #: so far, ahead of time or not
        self.load_s: dict[str, float] = {}  #: model and precision → seconds its last load took

    @property
    def warm(self) -> tuple[PipelineKey, ...]:
        """What is loaded, most recently used first."""
        with self._changed:
            return tuple(reversed(self._pipelines))

    @property
    def used_bytes(self) -> int:
        """What the loaded pipelines hold, as they measured it."""
        with self._changed:
            loaded = sum(pipeline.footprint for pipeline in self._pipelines.values())
            return loaded + sum(self._coming.values())

    @property
    def free_bytes(self) -> int:
        """What is left of the budget; never below 0."""
        return max(0, self._budget - self.used_bytes)

    def get(self, key: PipelineKey) -> Pipeline:
        """The pipeline of ``key``, loaded if need be after others made room.

        Raises EnvironmentFault when it cannot fit beside the pinned ones, and as the engine does.
        """
        with self._changed:
            self._awaited.add(key)
            self._changed.wait_for(lambda: key not in self._coming)
            self._awaited.discard(key)
            if key not in self._pipelines:
                self._make_room(self._need(key), key)
                try:
                    self._pipelines[key] = self._load(key)
                finally:
                    self._settle()
            self._pipelines.move_to_end(key)
            self._last_used[key] = self._clock()
            # Again on every use: a pipeline grows with a new kind of job or a larger size.
            self._measured[key] = self._pipelines[key].footprint
            self._evict_until(0, keep=key)
            self._settle()
            return self._pipelines[key]

    def preload(self, key: PipelineKey) -> bool:
        """Load and warm up beside what is in use, if there is room without unloading anything.

        A plain CPU does not warm up: its cores are drawing for a job. Returns whether it was loaded
        now; raises what the engine raises.
        """
        with self._changed:
            need = self._need(key)
            is_known = key in self._pipelines or key in self._coming
            if is_known or need > self.free_bytes or not self._host_has(need):
                return False
            self._coming[key] = need
        pipeline = None
        try:
            loaded = self._load(key)
            # The picture that waits warms it up, if there is one or the cores are busy.
            if key not in self._awaited and not key.is_on_cpu:
                loaded.warm_up()
            pipeline = loaded
        finally:
            with self._changed:
                del self._coming[key]
                if pipeline:
                    self._pipelines[key] = pipeline
                    self._last_used[key] = self._clock()
                    self._measured[key] = pipeline.footprint
                self._settle()
                self._changed.notify_all()
        return True

    def finds_room(self, key: PipelineKey) -> bool:
        """Whether the machine has memory for ``key``, once unused models are unloaded here.

        If not, other workers are asked to unload some; no slice must be taken until they have.
        """
        if self._host is None:
            return True
        with self._changed:
            need = self._need(key)
            kept = sum(p.footprint for k, p in self._pipelines.items() if k in self._pins)
            if kept + need <= self._host.room():
                return True
            self._host.want(need)
            return need > self._host.limit - kept  # it never fits: its slice will say so

    def pin(self, key: PipelineKey) -> None:
        """Never unload ``key`` once it is loaded."""
        self._pins.add(key)

    @contextmanager
    def pinned(self, key: PipelineKey) -> Iterator[None]:
        """Do not unload ``key`` meanwhile; one that was pinned before stays so."""
        was_pinned = key in self._pins
        self._pins.add(key)
        try:
            yield
        finally:
            if not was_pinned:
                self._pins.discard(key)

    def unload_idle(self) -> tuple[PipelineKey, ...]:
        """Unload what was not used for the idle time; returns the keys."""
        if self._idle_ttl_s is None:
            return ()
        latest = self._clock() - self._idle_ttl_s
        with self._changed:
            idle = [key for key in self._evictable() if self._last_used[key] <= latest]
            for key in idle:
                self._unload(key)
            return tuple(idle)

    def make_way(self, keep: PipelineKey | None = None) -> tuple[PipelineKey, ...]:
        """Unload models whose memory other workers of the machine need; returns the keys.

        The longest unused goes first; what is pinned stays, and ``keep``.
        """
        gone: list[PipelineKey] = []
        with self._changed:
            lacking = self._host.lacking() if self._host else 0
            for key in self._evictable():
                if lacking > 0 and key != keep:
                    lacking -= self._pipelines[key].footprint
                    self._unload(key)
                    gone.append(key)
        return tuple(gone)

    def close(self) -> None:
        """Unload everything, pinned or not."""
        with self._changed:
            for key in tuple(self._pipelines):
                self._unload(key)

    def _load(self, key: PipelineKey) -> Pipeline:
        began = self._clock()
        try:
            pipeline = self._engine.load(key)
        except (RetryElsewhere, FailForGood) as error:  # no job is at fault yet
            raise EnvironmentFault(f"{key.name} cannot be loaded here: {error}") from error
        seconds = self._clock() - began
        self.loads += 1
        self.load_s[key.name] = round(seconds, 3)
        self._tally.add("loads", key.name)
        self._tally.add("load_seconds", key.name, seconds)
        return pipeline

    def _need(self, key: PipelineKey) -> int:
        return self._measured.get(key) or self._engine.estimate(key)

    def _make_room(self, need: int, key: PipelineKey) -> None:
        pinned = sum(self._pipelines[pin].footprint for pin in self._pins & set(self._pipelines))
        budget = min(self._budget, self._host.limit) if self._host else self._budget
        if need > budget - pinned:
            raise EnvironmentFault(
                f"{key.name} needs more memory than this worker may use",
                value=f"{need // _MIB} MiB",
                allowed=f"{(budget - pinned) // _MIB} MiB",
                hint="start the worker with a larger --memory-budget or --host-budget",
            )
        self._evict_until(need, keep=key)
        self._await_host(need)

    def _await_host(self, need: int) -> None:
        """Take the machine's memory: unload unused models here, then wait for other workers."""

        def is_given() -> bool:
            while not self._host_has(need):
                unused = self._evictable()
                if not unused:
                    if self._host:
                        self._host.want(need)
                    return False
                self._unload(unused[0])
            return True

        if not poll(is_given, every_s=_LOOK_S, timeout_s=_OTHERS_S):
            raise EnvironmentFault(
                "the other workers of this machine hold the memory",
                value=f"{need // _MIB} MiB",
                hint="start the workers with a larger --host-budget, or fewer of them",
            )

    def _host_has(self, need: int) -> bool:
        return self._host is None or self._host.hold(self.used_bytes + need)

    def _settle(self) -> None:
        if self._host:
            self._host.settle(self.used_bytes)

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
        self._tally.add("unloads", key.name)
        self._settle()
