"""The models one machine has pulled: kept within a budget of its disk, least recently used out.

A pulled model has an empty file ``PRECISION.pulled`` beside its folder, whose time is that of the
last use. Whoever uses the model holds a shared lock on it, which ends with the process. A model
that was prepared on this machine has none, and is never taken away.
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
    """Marks, uses and takes away pulled models below one folder; for any number of threads."""

    def __init__(self, root: Path, budget_bytes: int) -> None:
        self._root = root
        self._budget = budget_bytes
        self._used: dict[Path, BinaryIO] = {}
        self._warm: set[Path] = set()
        self._turn = threading.RLock()
        weakref.finalize(self, _close_all, self._used)

    def mark(self, folder: Path) -> None:
        """Say that ``folder`` was pulled, and is in use here."""
        _mark(folder).touch()
        self.use(folder)

    def forget(self, folder: Path) -> None:
        """Say that ``folder`` is no pulled model, or none any more."""
        self._release(folder)
        _mark(folder).unlink(missing_ok=True)

    def use(self, folder: Path) -> None:
        """Keep ``folder`` from being taken away; nothing happens when it was not pulled."""
        with self._turn:
            try:
                if folder not in self._used:
                    self._used[folder] = _mark(folder).open("rb")
                    fcntl.flock(self._used[folder], fcntl.LOCK_SH)
                now = time.time_ns()  # the kernel's own clock of files moves in steps of 4 ms
                os.utime(_mark(folder), ns=(now, now))
            except FileNotFoundError:  # never pulled, or taken away in this moment
                self._release(folder)

    def warm(self, folders: Collection[Path]) -> None:
        """Say what is loaded here: what was so until now and is no more may be taken away.

        Not what is in use and was not loaded yet: another thread may be about to load it.
        """
        with self._turn:
            for folder in self._warm - set(folders):
                self._release(folder)
            self._warm = set(folders)

    def make_room(self, folder: Path, size: int, missing: int) -> None:
        """Have room for ``folder``, of ``size`` bytes, ``missing`` of which are not on the disk.

        Takes away models in the order of their last use. Raises EnvironmentFault when that is not
        enough, for what is in use stays.
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
                "pulled models may not take so much of the disk",
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
        """Delete one model unless somebody uses it."""
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
    """Take a finished folder out of sight in one step, then delete it; raises OSError."""
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
