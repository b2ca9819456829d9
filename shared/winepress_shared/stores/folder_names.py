"""The names of the objects of a folder: given, listed in order, synced to disk, and taken away."""

from __future__ import annotations

import contextlib
import heapq
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from winepress_shared.stores.base import StoredObject, is_key

_PAGE = 20_000  #: entries of a folder in memory at a time
_NO_FOLDER = (FileNotFoundError, NotADirectoryError)


def sync_names(folder: Path, root: Path) -> None:
    """Have the disk know what is in ``folder`` and in those above it, up to ``root``.

    Without this, power loss can leave a whole file without a name.
    """
    for one in (folder, *folder.parents):
        with contextlib.suppress(FileNotFoundError):  # what was in it is deleted already
            descriptor = os.open(one, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        if one == root:
            return


def open_in_folder(path: Path, mode: Literal["xb", "ab"]) -> BinaryIO:
    """Open a file in a folder that is created, also if it is removed for being empty meanwhile."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            return path.open(mode)


def remove_empty(folder: Path, root: Path) -> None:
    """Remove ``folder`` and those above it, up to ``root``, as far as they are empty."""
    with contextlib.suppress(OSError):
        while folder != root:
            folder.rmdir()
            folder = folder.parent


def walk(folder: Path, parent: str, start: str = "") -> Iterator[StoredObject]:
    """The visible files below ``folder`` whose first name starts with ``start``, sorted."""
    for entry in _entries(folder, start):
        if entry.is_dir(follow_symlinks=False):
            yield from walk(folder / entry.name, f"{parent}{entry.name}/")
        elif entry.is_file(follow_symlinks=False) and is_key(f"{parent}{entry.name}"):
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                found = entry.stat()
                version, at = str(found.st_mtime_ns), found.st_mtime
                key = f"{parent}{entry.name}"
                yield StoredObject(key, found.st_size, version=version, written=at)


def _entries(folder: Path, start: str) -> Iterator[os.DirEntry[str]]:
    """What is visible in ``folder`` under names that begin with ``start``, sorted.

    It is searched again for each page, so that a folder of a million needs no more memory.
    """
    last: str = ""
    page: list[os.DirEntry[str]] = []
    while not last or len(page) == _PAGE:
        try:
            with os.scandir(folder) as inside:
                names = (
                    entry
                    for entry in inside
                    if entry.name.startswith(start)
                    and not entry.name.startswith(".")
                    and entry.name > last
                )
                page = heapq.nsmallest(_PAGE, names, key=lambda entry: entry.name)
        except _NO_FOLDER:
            return
        if not page:
            return
        yield from page
        last = page[-1].name
