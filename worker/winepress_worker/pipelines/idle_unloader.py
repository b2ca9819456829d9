"""What a rendering process does while it has no ticket: give back memory that is of no use."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from winepress_shared.errors import EnvironmentFault
from winepress_worker.pipelines.warm_pool import WarmPool
from winepress_worker.renderer.unfit import Unfit

log = logging.getLogger(__name__)

_TICK_S = 1.0


class IdleUnloader(threading.Thread):
    """Looks after the warm pool whenever the thread that renders does not."""

    def __init__(self, pool: WarmPool, unfit: Unfit, changed: Callable[[], None]) -> None:
        """``changed`` is called when something was unloaded, or is to be tried again."""
        super().__init__(name="idle-unloader", daemon=True)
        self._pool = pool
        self._unfit = unfit
        self._changed = changed
        self._at_work = threading.Lock()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nothing is unloaded meanwhile: somebody draws."""
        with self._at_work:
            yield

    def run(self) -> None:
        """Tick as long as the process lives."""
        pause = threading.Event()
        while not pause.wait(_TICK_S):
            if self._at_work.acquire(blocking=False):
                try:
                    self.tick()
                finally:
                    self._at_work.release()

    def tick(self) -> None:
        """Unload what was idle for its time, and what other workers of the machine need.

        What this worker could not serve is tried again when there is a chance.
        """
        if self._unfit.try_again():
            self._changed()
        try:
            gone = self._pool.unload_idle() + self._pool.make_way()
        except EnvironmentFault as error:
            log.warning("%s", error)
            return
        for key in gone:
            log.info("unloaded %s.%s", key.model, key.precision)
        if gone:
            self._changed()

    def make_way(self) -> None:
        """Between two slices: unload what others need, but for the pipeline used last."""
        try:
            self._pool.make_way(keep=next(iter(self._pool.warm), None))
        except EnvironmentFault as error:
            log.warning("%s", error)
