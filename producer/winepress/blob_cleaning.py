"""Cleaning of compiled blobs: they go by age alone.

A worker that loads a model with a blob that the store no longer has offers it again. So what stays
away is what nobody uses: of a former driver or version, or of a model that was replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from winepress_shared.compiled_blobs import BLOBS

if TYPE_CHECKING:
    from winepress.cleaning import Cleaning
    from winepress.connections import Connections
    from winepress_shared.stores.base import StoredObject


class BlobCleaning:
    """One look at all compiled blobs, on the terms of a `Cleaning`."""

    def __init__(self, connections: Connections, cleaning: Cleaning) -> None:
        self._store = connections.archive.store
        self._cleaning = cleaning

    def run(self) -> Iterator[StoredObject]:
        """Delete, and yield one by one what was deleted; raises FarmUnreachable."""
        for stored in self._store.list(BLOBS):
            if stored.written < self._cleaning.before:
                if not self._cleaning.dry_run:
                    self._store.delete(stored.key)
                yield stored
