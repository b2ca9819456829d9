"""Replaces files atomically: readers see the old bytes or the new ones, never a part."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_EVERYBODY = 0o666  #: reduced by the umask
PRIVATE = 0o600  #: only for the owner
PART = ".part"  #: suffix of an incomplete file


@contextmanager
def replacing(path: Path, mode: int = _EVERYBODY) -> Iterator[Path]:
    """An empty file beside ``path`` that replaces it if the block ends without an error.

    After an error it is deleted and ``path`` is unchanged. ``mode`` gives the new file's
    permissions. Raises OSError.
    """
    part = path.with_name(f".{secrets.token_hex(8)}{PART}")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))
    try:
        yield part
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def atomic_write(path: Path, data: bytes, *, mode: int = _EVERYBODY) -> None:
    """Replace the content of ``path`` by ``data``, synced to disk; raises OSError."""
    with replacing(path, mode) as part, part.open("r+b") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
