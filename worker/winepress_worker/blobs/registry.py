"""Compiled blobs in the farm's store: offered by the worker that compiled them, fetched by others.

Layout: ``blobs/KEY/NAME-SHA256.blob``. KEY says what was compiled and for which device, NAME is
OpenVINO's own for what it compiled, SHA256 that of the content. An object appears whole or not at
all, so half an upload offers nothing.
"""

from __future__ import annotations

import re
import time
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from winepress_shared.compiled_blobs import BLOBS
from winepress_shared.errors import ObjectMissing, ObjectTooLarge, StoreUnreachable
from winepress_shared.stores.base import BytesCallback, Store
from winepress_worker.models.manifest import digest

MOST_BLOBS = 16  #: of one key; a device of fixed shapes makes one for each shape
_REST_S = 60.0  #: a store that hangs keeps a model's other parts waiting no more
_MOST_LISTED = 1000  #: objects of one key that are looked at
_OBJECT = re.compile(r"(?P<name>[0-9]{1,20})-(?P<sha256>[0-9a-f]{64})\.blob")
_FILE = re.compile(r"[0-9]{1,20}\.blob")


class StoredBlob(NamedTuple):
    """One blob in the store."""

    key: str  #: of the object
    file: str  #: its name on a disk
    sha256: str
    size: int  #: in bytes


class Fetched(NamedTuple):
    """What one look at the store brought."""

    files: tuple[str, ...]  #: names of the blobs that are now in the folder
    size: int  #: of all, in bytes
    refused: tuple[str, ...]  #: why others are not


class BlobRegistry:
    """The compiled blobs of one farm."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rests_until = 0.0

    def find(self, key: str) -> dict[str, StoredBlob]:
        """The blobs of ``key`` by their names on a disk; raises StoreUnreachable.

        What has another kind of name is none of ours. If there are two of one name, the first
        counts.
        """
        place = f"{BLOBS}{key}/"
        found: dict[str, StoredBlob] = {}
        for item in islice(self._store.list(place), _MOST_LISTED):
            match = _OBJECT.fullmatch(item.key.removeprefix(place))
            if match:
                blob = StoredBlob(item.key, f"{match['name']}.blob", match["sha256"], item.size)
                found.setdefault(blob.file, blob)
        return found

    def fetch(self, key: str, folder: Path, most_bytes: int) -> Fetched | None:
        """Bring the blobs of ``key`` that ``folder`` lacks, up to ``most_bytes`` in all.

        A blob gets its name once it is whole and has its hash. Raises StoreUnreachable and OSError;
        None without asking for a while after the store did not answer.
        """
        if time.monotonic() < self._rests_until:
            return None
        try:
            return self._fetch(key, folder, most_bytes)
        except StoreUnreachable:
            self._rests_until = time.monotonic() + _REST_S
            raise

    def _fetch(self, key: str, folder: Path, most_bytes: int) -> Fetched:
        files: list[str] = []
        refused: list[str] = []
        size = 0
        for blob in self.find(key).values():
            if (folder / blob.file).exists():
                continue
            if size + blob.size > most_bytes or len(files) == MOST_BLOBS:
                refused.append(f"{blob.key} exceeds {MOST_BLOBS} blobs of {most_bytes} bytes")
            elif self._get(blob, folder / blob.file):
                files.append(blob.file)
                size += blob.size
            else:
                refused.append(f"{blob.key} is damaged in the store")
        return Fetched(tuple(files), size, tuple(refused))

    def _get(self, blob: StoredBlob, path: Path) -> bool:
        """Whether the blob is now at ``path``."""
        partial = path.with_suffix(".part")
        partial.unlink(missing_ok=True)  # of a call that was killed
        try:
            self._store.get_file(blob.key, partial, most=blob.size)
            if partial.stat().st_size != blob.size or digest(partial) != blob.sha256:
                return False
            partial.rename(path)
        except (ObjectMissing, ObjectTooLarge):  # deleted or replaced just now
            return False
        finally:
            partial.unlink(missing_ok=True)
        return True

    def offer(self, key: str, path: Path, on_bytes: BytesCallback) -> int:
        """Write the blob at ``path`` unless somebody did; returns the bytes that were new.

        ``on_bytes`` may wait, or raise to end it; the next call then resumes a large upload. Raises
        StoreUnreachable and OSError.
        """
        size, name = path.stat().st_size, f"{path.stem}-{digest(path)}.blob"
        place = f"{BLOBS}{key}/{name}"
        is_new = self._store.put_file(place, path, only_new=True, on_bytes=on_bytes)
        return size if is_new else 0


def blobs_in(folder: Path) -> list[Path]:
    """The blobs that OpenVINO has in ``folder``, by name."""
    return sorted(path for path in folder.glob("*.blob") if _FILE.fullmatch(path.name))
