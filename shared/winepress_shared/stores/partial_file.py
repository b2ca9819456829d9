"""A file being written, which a killed writer leaves behind and the next one goes on with."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class PartialFile:
    """Takes the blocks of a file from its beginning, and writes only what differs."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file

    def put(self, block: bytes) -> None:
        """Have ``block`` come next, as it was left by an earlier writer or written now."""
        start = self._file.tell()
        if self._file.read(len(block)) != block:
            self._file.seek(start)
            self._file.truncate()
            self._file.write(block)

    def seal(self) -> None:
        """End the file here, down to the disk."""
        self._file.truncate()
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def open_partial(path: Path) -> Iterator[PartialFile]:
    """The file ``path``, for one writer at a time; deleted in the end unless it has been moved.

    A kill lets it stand. Raises OSError.
    """
    with open_alone(path) as lock, path.open("r+b") as file:
        try:
            yield PartialFile(path, file)
        finally:
            if _is_at(path, lock):
                path.unlink()


@contextmanager
def open_alone(path: Path) -> Iterator[BinaryIO]:
    """The file ``path``, made if need be, to append to; one process at a time. Raises OSError."""
    while True:
        with path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_at(path, file):
                continue  # moved away or deleted by the writer this one has waited for
            if os.fstat(file.fileno()).st_nlink > 1:
                path.unlink()  # linked to its place by a writer killed before it let go
                continue
            yield file
            return


def _is_at(path: Path, file: BinaryIO) -> bool:
    """True when ``path`` still names the open ``file``."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
