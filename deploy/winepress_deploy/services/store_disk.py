"""What a power cut takes of the farm's own SeaweedFS, which acknowledges before its disk has it.

It can be told to sync each object's bytes, but not the names of the objects and not where the bytes
are; and each write then waits for the disk. So the farm syncs its files every second itself.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from winepress_deploy.services.repeated import Repeated

_EVERY_S = 1.0
_SIZES = 8 + 4  #: bytes of an entry of an index, beside those that say where the object begins
_DEFAULT_PLACE = 5


class StoreSync(Repeated):
    """Syncs from a thread what has changed in a folder, during its ``with`` block."""

    def __init__(self, folder: Path) -> None:
        super().__init__("store-sync", _EVERY_S)
        self._folder = folder
        self._synced: dict[str, int] = {}  #: path → time of its last change that was synced, in ns

    def _turn(self) -> float:
        self.sync()
        return _EVERY_S

    def sync(self) -> None:
        """Sync the files and folders that have changed since the last call."""
        seen: dict[str, int] = {}
        for folder, _, files in os.walk(self._folder):
            for path in (folder, *(f"{folder}/{name}" for name in files)):
                with suppress(OSError):  # gone meanwhile, or a socket
                    changed = Path(path).lstat().st_mtime_ns
                    if self._synced.get(path) != changed:
                        _sync(path)
                    seen[path] = changed
        self._synced = seen


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)  # all that any process has written to the file
    finally:
        os.close(descriptor)


def trim_indexes(folder: Path) -> None:
    """Cut half an entry off the end of each volume's index, where a power cut has left one.

    SeaweedFS would read none of the volume's objects. It must not run meanwhile.
    """
    for index in folder.glob("*.idx"):
        entry = _SIZES + _place_bytes(index.with_suffix(".vif"))
        size = index.stat().st_size
        if size % entry:
            os.truncate(index, size - size % entry)


def _place_bytes(description: Path) -> int:
    """How many bytes say where an object begins; it depends on how the program was built."""
    try:
        found = json.loads(description.read_text("utf-8")).get("bytesOffset")
    except (OSError, ValueError, AttributeError):
        return _DEFAULT_PLACE
    return found if found in (4, 5) else _DEFAULT_PLACE
