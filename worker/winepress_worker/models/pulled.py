"""The models one machine has pulled, kept within a disk budget; least recently used go first.

A pulled model has an empty file ``PRECISION.pulled`` beside its folder; the file's time is that of
the last use. A process that uses the model holds a shared lock on that file. A model that was
prepared on this machine has no such file and is never removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from winepress_shared.errors import DiskFull, EnvironmentFault
from winepress_worker.models.manifest import Manifest

_MARK = ".pulled"
_MIB = 2**20


class PulledModels:
    """Marks, uses and removes pulled models below one folder; thread-safe."""

    def __init__(self, root: Path, budget_bytes: int) -> None:
        self._root = root
        self._budget = budget_bytes
        self._used: dict[Path, BinaryIO] = {}
        self._warm: set[Path] = set()
        self._turn = threading.RLock()
        weakref.finalize(self, _close_all, self._used)

    def mark(self, folder: Path) -> None:
        """Mark ``folder`` as pulled, and in use by this process."""
        _mark(folder).touch()
        self.use(folder)

    def forget(self, folder: Path) -> None:
        """Remove the mark of ``folder``: it is not, or no longer, a pulled model."""
        self._release(folder)
        _mark(folder).unlink(missing_ok=True)

    def use(self, folder: Path) -> None:
        """Keep ``folder`` from being removed; does nothing if it was not pulled."""
        with self._turn:
            try:
                if folder not in self._used:
                    self._used[folder] = _mark(folder).open("rb")
                    fcntl.flock(self._used[folder], fcntl.LOCK_SH)
                now = time.time_ns()  # the kernel's clock for file times moves in steps of 4 ms
                os.utime(_mark(folder), ns=(now, now))
            except FileNotFoundError:  # never pulled, or just removed
                self._release(folder)

    def warm(self, folders: Collection[Path]) -> None:
        """Set what is loaded in this process; what was loaded before and is not now may be removed.

        A model in use that was never loaded is kept: another thread may be about to load it.
        """
        with self._turn:
            for folder in self._warm - set(folders):
                self._release(folder)
            self._warm = set(folders)

    def make_room(self, folder: Path, size: int, missing: int) -> None:
        """Make room for ``folder``, of ``size`` bytes, ``missing`` of which are not on the disk.

        Removes models that are not in use, least recently used first. Raises EnvironmentFault if
        that is not enough.
        """
        sizes = {mark: _size(mark.with_suffix("")) for mark in self._root.glob(f"*/*{_MARK}")}
        sizes.pop(_mark(folder), None)
        for mark in sorted(sizes, key=_last_use):
            if self._fits(size, sum(sizes.values())) and missing <= self._free:
                return
            if self._take_away(mark):
                del sizes[mark]
        if not self._fits(size, sum(sizes.values())):
            raise EnvironmentFault(
                "the pulled models would exceed their disk budget",
                value=f"{(size + sum(sizes.values())) // _MIB} MiB",
                allowed=f"{self._budget // _MIB} MiB",
                hint="raise the setting pulled_gib",
            )
        if missing > self._free:
            raise DiskFull(
                f"the disk is too small: {missing // _MIB} MiB to fetch, "
                f"{self._free // _MIB} MiB free",
                value=str(self._root),
            )

    def _fits(self, size: int, others: int) -> bool:
        return size + others <= self._budget

    @property
    def _free(self) -> int:
        return shutil.disk_usage(self._root).free

    def _take_away(self, mark: Path) -> bool:
        """Delete one model unless it is in use."""
        folder = mark.with_suffix("")
        try:
            with mark.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                retire(folder)
                mark.unlink()
        except BlockingIOError:
            return False
        except FileNotFoundError:  # another process was faster
            mark.unlink(missing_ok=True)
        return True

    def _release(self, folder: Path) -> None:
        with self._turn:
            lock = self._used.pop(folder, None)
            if lock:
                lock.close()


def retire(folder: Path) -> None:
    """Hide a finished folder by one rename, then delete it; raises OSError."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as grave:
        folder.rename(Path(grave) / folder.name)


def _close_all(locks: dict[Path, BinaryIO]) -> None:
    for lock in locks.values():
        lock.close()


def _mark(folder: Path) -> Path:
    return folder.with_name(folder.name + _MARK)


def _last_use(mark: Path) -> float:
    try:
        return mark.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(folder: Path) -> int:
    manifest = Manifest.read(folder)
    return sum(file.size for file in manifest.files.values()) if manifest else 0
