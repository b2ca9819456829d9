"""Removes from the store what killed transfers left, which nobody would see otherwise."""

from __future__ import annotations

import logging
import random
import threading
import time

from winepress_shared.compiled_blobs import BLOBS
from winepress_shared.errors import StoreUnreachable
from winepress_shared.stores.base import Store

log = logging.getLogger(__name__)

OLD_S = 86_400.0  #: no transfer takes so long
_EVERY_S = 21_600.0
_PLACES = ("jobs/", BLOBS)  #: where workers write


class Leftovers:
    """Every worker looks now and then; what one has removed the others do not find."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def watch(self) -> None:
        """Remove from a thread, for as long as this process lives."""

        def keep_looking() -> None:
            time.sleep(_EVERY_S * random.random())  # noqa: S311 - not all workers at once
            while True:
                self.remove()
                time.sleep(_EVERY_S)

        threading.Thread(target=keep_looking, name="leftovers", daemon=True).start()

    def remove(self) -> None:
        """Remove what is old; a store that is away has another turn."""
        try:
            count = sum(self._store.clean(place, OLD_S) for place in _PLACES)
        except StoreUnreachable as error:
            log.warning("leftovers in the store were not looked for: %s", error)
        else:
            if count:
                log.info("%s unfinished transfers of killed workers removed from the store", count)
