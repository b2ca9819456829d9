"""Offers compiled blobs to the store while the rendering process has no ticket."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from winepress_shared.errors import StoreUnreachable
from winepress_shared.settings import Settings
from winepress_shared.stores.base import Store
from winepress_worker.blobs.registry import BlobRegistry
from winepress_worker.blobs.sharing import SharedBlobs
from winepress_worker.engines.base import BlobSharingEngine, Engine

log = logging.getLogger(__name__)

_TICK_S = 5.0


class BlobOffering(threading.Thread):
    """Offers what was compiled, from a thread of its own; no picture waits for it."""

    def __init__(self, blobs: SharedBlobs) -> None:
        super().__init__(name="blob-offering", daemon=True)
        self._blobs = blobs
        self._idle = threading.Event()
        self._idle.set()
        self._is_said = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Send nothing while inside, but what is under way to its next piece of 16 MiB."""
        self._idle.clear()
        try:
            yield
        finally:
            self._idle.set()

    def run(self) -> None:
        """Tick for as long as the process lives."""
        pause = threading.Event()
        while not pause.wait(_TICK_S):
            self._idle.wait()
            try:
                self.tick()
            except Exception:  # the edge of the thread
                log.exception("unexpected error while offering compiled blobs")

    def tick(self) -> None:
        """Offer what was used since the last tick; a store that is away is tried again."""
        try:
            self._blobs.offer(lambda count: self._wait())
            self._is_said = False
        except (StoreUnreachable, OSError) as error:
            if not self._is_said:
                log.warning("compiled blobs are not offered now: %s", error)
            self._is_said = True

    def _wait(self) -> None:
        self._idle.wait()


def offering_of(engine: Engine, store: Store, settings: Settings) -> BlobOffering | None:
    """Have ``engine`` share its blobs, if it can and the settings say so.

    Returns what offers them once it is started; None if they are not shared.
    """
    if not (settings.share_blobs and isinstance(engine, BlobSharingEngine)):
        return None
    engine.shared_blobs = SharedBlobs(settings.home / "blobs", BlobRegistry(store))
    return BlobOffering(engine.shared_blobs)
