"""The compiled blobs of one part of a model for one kind of device, in a folder of this machine.

Layout: ``HOME/blobs/shared/KEY/`` has OpenVINO's blobs ``NAME.blob``, a ``lock``, the empty file
``asked`` once the store was asked for blobs, and ``using-…`` of each process that reads or writes
blobs now. Such a mark is locked by its process; one that is left without its lock belongs to a
process that died there. A blob from elsewhere may have killed it, so then all blobs go, and the
store is not asked again.
"""

from __future__ import annotations

import fcntl
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from winepress_shared.errors import StoreUnreachable
from winepress_shared.stores.base import BytesCallback
from winepress_worker.blobs.registry import MOST_BLOBS, BlobRegistry, blobs_in

log = logging.getLogger(__name__)

_LOCK, _ASKED, _MARK = "lock", "asked", "using-"
_Stamps = dict[str, tuple[int, int]]  #: file → what tells whether it was replaced


class BlobSet:
    """One folder of blobs; threads and processes may share it."""

    def __init__(
        self,
        folder: Path,
        title: str,
        most_bytes: int,
        registry: BlobRegistry,
        on_used: Callable[[BlobSet], None] = lambda blobs: None,
    ) -> None:
        """``folder`` is named by its key in ``registry``; ``title`` says for people what it is.

        Neither fetched nor offered is more than ``most_bytes``. ``on_used`` is called whenever
        OpenVINO has read or written blobs.
        """
        self.title = title
        self._folder = folder
        self._most_bytes = most_bytes
        self._registry = registry
        self._on_used = on_used
        self._fetched: _Stamps = {}

    @property
    def key(self) -> str:
        """Its name in the store."""
        return self._folder.name

    @contextmanager
    def opened(self) -> Iterator[Path | None]:
        """The folder, in which OpenVINO may read and write blobs while inside.

        At the first time the store's are fetched into it. None where the disk does not allow it:
        then everything is compiled.
        """
        try:
            mark = self._enter()
        except OSError as error:
            log.warning("%s is compiled without blobs: %s", self.title, error)
            yield None
            return
        try:
            yield self._folder
        finally:
            with mark:
                Path(mark.name).unlink(missing_ok=True)
        self._check_fetched()
        self._on_used(self)

    def _enter(self) -> BinaryIO:
        """Fetch if that was not done yet, and mark the folder as in use."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if dead := [mark for mark in self._marks() if _is_dead(mark)]:
                self._forget()
            for mark in dead:  # last: whoever dies here leaves them
                mark.unlink(missing_ok=True)
            if not self._asked.exists():
                self._ask()
            own = (self._folder / f"{_MARK}{secrets.token_hex(8)}").open("wb")
            fcntl.flock(own, fcntl.LOCK_EX)
            return own

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._folder / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @property
    def _asked(self) -> Path:
        return self._folder / _ASKED

    def _marks(self) -> list[Path]:
        return list(self._folder.glob(f"{_MARK}*"))

    def _forget(self) -> None:
        log.warning(
            "a process died while it read or wrote the compiled blobs of %s: they are deleted, and "
            "it is compiled here",
            self.title,
        )
        self._asked.touch()  # first: whoever dies here must not fetch them again
        for blob in blobs_in(self._folder):
            blob.unlink(missing_ok=True)

    def _ask(self) -> None:
        """Fetch what the store has; a store that is away is asked again at the next load."""
        try:
            found = self._registry.fetch(self.key, self._folder, self._most_bytes)
        except StoreUnreachable as error:
            log.warning("%s is compiled here: blobs were not fetched: %s", self.title, error)
            return
        if found is None:  # said of another part a moment ago
            return
        for problem in found.refused:
            log.warning("%s is compiled here: the blob %s", self.title, problem)
        if found.files:
            size = found.size / 2**20
            log.info("%s: fetched %s blobs, %.1f MiB", self.title, len(found.files), size)
        self._fetched = self._stamps(found.files)
        self._asked.touch()

    def _stamps(self, files: tuple[str, ...] | _Stamps) -> _Stamps:
        found: _Stamps = {}
        for name in files:
            with suppress(FileNotFoundError):
                stat = (self._folder / name).stat()
                found[name] = (stat.st_ino, stat.st_mtime_ns)
        return found

    def _check_fetched(self) -> None:
        """Say once if OpenVINO has refused what was fetched: then it replaced the file."""
        with suppress(OSError):
            if self._stamps(self._fetched) != self._fetched:
                log.warning("%s is compiled here: OpenVINO refused the fetched blob", self.title)
                self._fetched = {}

    def offer(self, on_bytes: BytesCallback) -> bool:
        """Write to the store what it lacks of these blobs; False if they are in use now.

        Raises StoreUnreachable, OSError, and what ``on_bytes`` raises; see `BlobRegistry.offer`.
        """
        with self._alone():
            if self._marks():  # somebody may be writing; what died is found by the next load
                return False
            blobs = blobs_in(self._folder)
        size = sum(blob.stat().st_size for blob in blobs)
        if size > self._most_bytes or len(blobs) > MOST_BLOBS:
            log.info("%s: %s blobs, %s bytes are too many to offer", self.title, len(blobs), size)
            return True
        there = self._registry.find(self.key) if blobs else {}
        for blob in blobs:
            if blob.name not in there:
                sent = self._registry.offer(self.key, blob, on_bytes)
                log.info("%s: offered a blob, %.1f MiB", self.title, sent / 2**20)
        return True


def _is_dead(mark: Path) -> bool:
    """Whether the process that left ``mark`` has died; the kernel then freed its lock."""
    try:
        with mark.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):  # it lives, or has just left
        return False
    return True
