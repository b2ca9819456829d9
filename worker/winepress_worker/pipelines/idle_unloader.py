"""Unloads models that are not used, while the rendering process has no ticket."""

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
    """Unloads idle models whenever the rendering thread has no ticket."""

    def __init__(self, pool: WarmPool, unfit: Unfit, changed: Callable[[], None]) -> None:
        """``changed`` is called when a model was unloaded, or may be tried again."""
        super().__init__(name="idle-unloader", daemon=True)
        self._pool = pool
        self._unfit = unfit
        self._changed = changed
        self._at_work = threading.Lock()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Unload nothing while inside: the rendering thread has a ticket."""
        with self._at_work:
            yield

    def run(self) -> None:
        """Tick for as long as the process lives."""
        pause = threading.Event()
        while not pause.wait(_TICK_S):
            if self._at_work.acquire(blocking=False):
                try:
                    self.tick()
                except Exception:  # the edge of the thread: without it nothing that was refused
                    # would be tried again.
                    log.exception("unexpected error while looking for idle models")
                finally:
                    self._at_work.release()

    def tick(self) -> None:
        """Unload what was idle for long, and what other workers of the machine need memory of.

        Models that were refused are tried again when what was missing may be there.
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
        """Between two slices: unload what others need memory of, but the pipeline used last."""
        try:
            self._pool.make_way(keep=next(iter(self._pool.warm), None))
        except EnvironmentFault as error:
            log.warning("%s", error)
