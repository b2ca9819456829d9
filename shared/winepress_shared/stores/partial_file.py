"""A file being written, which the next writer resumes after a kill."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from winepress_shared.atomic_file import is_at
from winepress_shared.stores.folder_names import open_in_folder


class PartialFile:
    """Takes the blocks of a file from the start, and writes only those that differ."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file

    def put(self, block: bytes) -> None:
        """Write ``block`` next, unless an earlier writer already has."""
        start = self._file.tell()
        if self._file.read(len(block)) != block:
            self._file.seek(start)
            self._file.truncate()
            self._file.write(block)

    def seal(self) -> None:
        """End the file here and sync it to disk."""
        self._file.truncate()
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def open_partial(path: Path) -> Iterator[PartialFile]:
    """The file ``path``, for one writer at a time; deleted at the end unless it was moved.

    A killed process leaves it. Raises OSError.
    """
    with open_alone(path) as lock, path.open("r+b") as file:
        try:
            yield PartialFile(path, file)
        finally:
            if is_at(path, lock.fileno()):
                path.unlink()


def remove_if_left(path: Path, before: float) -> bool:
    """Remove a file that nobody writes and nobody has written since ``before``, a Unix time."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_mtime >= before or not is_at(path, file.fileno()):
                return False
            path.unlink()
            return True
    except OSError:  # it has a writer, or has just been removed
        return False


@contextmanager
def open_alone(path: Path) -> Iterator[BinaryIO]:
    """Open or create ``path``, in a folder that is created, to append, one process at a time.

    Raises OSError.
    """
    while True:
        with open_in_folder(path, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not is_at(path, file.fileno()):
                continue  # the previous writer has moved or deleted it
            if os.fstat(file.fileno()).st_nlink > 1:
                path.unlink()  # a killed writer had linked it to its final place
                continue
            yield file
            return
