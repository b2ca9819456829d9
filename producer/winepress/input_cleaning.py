"""Cleaning of inputs: pictures and sounds go that are old and that no job needs any more.

A job needs what its ``job.json`` or its items name, for as long as these are in the store. They are
searched as bytes and not read as jobs, so that one of a later version, or a damaged one, keeps what
it names too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TYPE_CHECKING

from winepress.cleaning import LEAST_S
from winepress_shared.documents import MAX_ITEMS_BYTES
from winepress_shared.errors import ObjectMissing, ObjectTooLarge
from winepress_shared.inputs import LEAVING, USED

if TYPE_CHECKING:
    from winepress.cleaning import Cleaning
    from winepress.connections import Connections
    from winepress_shared.stores.base import StoredObject

_FOLDER = "inputs/"
_PAGE = 20_000  #: inputs for which all jobs are searched together
_READERS = 8  #: threads that read descriptions of jobs
_KEYS = 500  #: descriptions read together
_MARKS = "|".join(map(re.escape, (USED, LEAVING)))
_KEY = re.compile(rf"({_FOLDER}[0-9a-f]{{64}}\.[a-z0-9]{{3,4}})(?:{_MARKS})?")
_REFERENCE = re.compile(rb"sha256:([0-9a-f]{64})")


@dataclass
class StoredInput:
    """What the store has of one input."""

    key: str
    size: int = 0  #: in bytes
    is_there: bool = False  #: there may be marks alone
    written: float = 0.0  #: when it was written or used last; Unix seconds by the store's clock
    leaving_since: float = 0.0

    @property
    def digest(self) -> str:
        """What jobs name it by."""
        return self.key.removeprefix(_FOLDER).partition(".")[0]

    def add(self, stored: StoredObject) -> None:
        """Count the object, or one of its marks."""
        if stored.key == self.key + LEAVING:
            self.leaving_since = stored.written
            return
        self.written = max(self.written, stored.written)
        if stored.key == self.key:
            self.is_there, self.size = True, stored.size


class InputCleaning:
    """One look at all inputs, on the terms of a `Cleaning` that has run.

    It may run at any time, may be killed and is continued by the next; its memory does not grow
    with the store.
    """

    def __init__(self, connections: Connections, cleaning: Cleaning) -> None:
        self._connections = connections
        self._store = connections.archive.store
        self._cleaning = cleaning

    def run(self) -> Iterator[StoredInput]:
        """Delete, and yield one by one what was deleted; raises FarmUnreachable."""
        old = (one for one in self._inputs() if self._is_old(one))
        while page := list(islice(old, _PAGE)):
            unused = self._unused({one.digest for one in page})
            for one in page:
                if one.digest not in unused:
                    self._unmark(one)
                elif (self._cleaning.dry_run or self._delete(one)) and one.is_there:
                    yield one

    def _inputs(self) -> Iterator[StoredInput]:
        """The inputs of the store; what is none is left out."""
        found = ((_KEY.fullmatch(stored.key), stored) for stored in self._store.list(_FOLDER))
        ours = ((match[1], stored) for match, stored in found if match)
        for key, group in groupby(ours, lambda pair: pair[0]):
            one = StoredInput(key)
            for _, stored in group:
                one.add(stored)
            yield one

    def _is_old(self, one: StoredInput) -> bool:
        if one.written < self._cleaning.before:
            return True
        self._unmark(one)
        return False

    def _unmark(self, one: StoredInput) -> None:
        """Let an input be used that a cleaning was about to delete when it was killed."""
        if self._is_left(one) and not self._cleaning.dry_run:
            self._store.delete(one.key + LEAVING)

    def _is_left(self, one: StoredInput) -> bool:
        return 0 < one.leaving_since < self._cleaning.now - LEAST_S

    def _unused(self, digests: set[str]) -> set[str]:
        """Those of ``digests`` that no job names."""
        left = set(digests)
        for _, text in self._connections.written.all():  # `winepress recover` writes it again
            left -= _named(text)
        keys = (key for job in self._cleaning.kept() for key in job.descriptions)
        with ThreadPoolExecutor(_READERS, thread_name_prefix="clean") as pool:
            while left and (page := list(islice(keys, _KEYS))):
                for named in pool.map(self._named_in, page):
                    left -= named
        return left

    def _named_in(self, key: str) -> set[str]:
        try:
            return _named(self._store.get(key, most=MAX_ITEMS_BYTES))
        except (ObjectMissing, ObjectTooLarge):  # another cleaning had it; no worker reads it
            return set()

    def _delete(self, one: StoredInput) -> bool:
        """Delete an input, unless somebody uses it now; see `inputs`."""
        leaving = one.key + LEAVING
        if not self._store.put_new(leaving, b"") and not self._is_left(one):
            return False  # another cleaning deletes it
        now = StoredInput(one.key)
        for stored in self._store.list(one.key):
            now.add(stored)
        if now.written >= self._cleaning.before:
            self._store.delete(leaving)
            return False
        for mark in ("", USED, LEAVING):
            self._store.delete(one.key + mark)
        return True


def _named(text: bytes) -> set[str]:
    return {digest.decode() for digest in _REFERENCE.findall(text)}
