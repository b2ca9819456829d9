"""Loads the model of the next lane while a slice of another one is drawn."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from winepress_shared.errors import BrokerUnreachable, WinepressError
from winepress_shared.lane import Lane
from winepress_worker.engines.base import Engine
from winepress_worker.pipelines.warm_pool import WarmPool

log = logging.getLogger(__name__)


class Preloader:
    """Loads one model at a time in a thread of its own, when there is room for it."""

    def __init__(
        self,
        engine: Engine,
        pool: WarmPool,
        begin_load: Callable[[str], bool],
    ) -> None:
        """``begin_load`` marks a load, False when another worker does it; see `LaneIndex`."""
        self._engine = engine
        self._pool = pool
        self._begin_load = begin_load
        self._thread: threading.Thread | None = None
        self._model = ""
        self._hopeless = ("", 0)  # the model that did not fit last, and the bytes that were free

    def consider(self, model: str | None) -> None:
        """Begin to load ``model`` (with its precision) if it may be loaded now."""
        if model is None or self.is_busy or (model, self._pool.free_bytes) == self._hopeless:
            return
        if self._may_begin(model):
            self._model = model
            self._thread = threading.Thread(target=self._load, args=(model,), name="preload")
            self._thread.daemon = True
            self._thread.start()

    def renew(self) -> None:
        """Mark the load again: the mark ends whenever a worker describes itself."""
        if self.is_busy:
            self._may_begin(self._model)

    @property
    def is_busy(self) -> bool:
        """Whether it is loading a model."""
        return self._thread is not None and self._thread.is_alive()

    def _may_begin(self, model: str) -> bool:
        try:
            return self._begin_load(model)
        except BrokerUnreachable:
            return False

    def _load(self, model: str) -> None:
        lane, free_bytes = Lane.parse(model), self._pool.free_bytes
        try:
            is_loaded = self._pool.preload(self._engine.prepare(lane.model, lane.precision))
        except WinepressError as error:
            # A slice of that model will meet the same fault, and settle it with the ledger.
            log.warning("%s could not be loaded ahead: %s", model, error)
            is_loaded = False
        if is_loaded:
            log.info("loaded %s ahead", model)
        else:
            self._hopeless = (model, free_bytes)
