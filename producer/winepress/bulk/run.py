"""Runs of alike pictures in a batch, which share calls when they are long enough."""

from __future__ import annotations

from dataclasses import replace

from winepress_shared.catalogue import Catalogue
from winepress_shared.items import Item
from winepress_shared.jobs.job import Job
from winepress_shared.jobs.shared_call import LEAST_CALLS, are_alike


class Run:
    """Takes items in their order and appends them to a list, encoded.

    The first items of a run are held back until the run is long enough or ends.
    """

    def __init__(self, catalogue: Catalogue, items: list[bytes]) -> None:
        self._catalogue = catalogue
        self._items = items
        self._held: list[Item] = []
        self._first: Job | None = None
        self._number: int | None = None  #: pictures in a call of this run, once it is long enough
        self._is_long = False
        self.together = 1  #: the most pictures in a call so far

    def add(self, item: Item) -> None:
        """Add one picture."""
        if self._first is None or not are_alike(self._first, item.job):
            self.close()
            self._first = item.job
            self._number = self._catalogue.call_of_many(item.job)
        self._held.append(item)
        if self._is_long or len(self._held) >= LEAST_CALLS * (self._number or 1):
            self._is_long = True
            self.together = max(self.together, self._number or 1)
            self._write({"pictures_per_call": self._number})

    def close(self) -> None:
        """End the run: write the items that are held back."""
        self._write({})
        self._first, self._is_long = None, False

    def _write(self, fields: dict[str, int | None]) -> None:
        for item in self._held:
            self._items.append(replace(item, job=item.job.model_copy(update=fields)).encode())
        self._held.clear()
