"""Reads files that a user names: only regular files, up to a limit."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

#: Paths of a shell's process substitution ``<(command)``, a pipe that ends.
_HANDED_OVER = (Path("/dev/fd"), Path("/proc/self/fd"))
_NULL = os.makedev(1, 3)  #: /dev/null, an empty file


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a file of up to ``most`` bytes.

    Refuses anything but a regular file or a shell's pipe, because a FIFO might never end. Raises
    OSError, also for a larger file and an invalid name.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, f"not a valid file name: {error}", str(path)) from None
    found = os.fstat(handle)
    mode = found.st_mode
    if stat.S_ISFIFO(mode) and _is_handed_over(path):
        os.set_blocking(handle, True)
    elif not stat.S_ISREG(mode) and found.st_rdev != _NULL:
        os.close(handle)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with os.fdopen(handle, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"larger than {size_text(most)}", str(path))
    return data


def path_of(word: str) -> Path:
    """The path for an argument of the command line; ``-`` is standard input."""
    return Path("/dev/stdin" if word == "-" else word)


def folder_of(path: Path) -> Path:
    """The folder for relative paths in the file ``path``: the working folder for a pipe."""
    return Path() if _is_handed_over(path) else path.parent


def _is_handed_over(path: Path) -> bool:
    return path.parent in _HANDED_OVER or path == Path("/dev/stdin")


def size_text(count: int) -> str:
    """A number of bytes, as ``64 MiB`` or ``16 KiB`` where it is a whole number of those."""
    for size, unit in ((2**20, "MiB"), (2**10, "KiB")):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} bytes"
