"""Replaces files atomically: readers see the old bytes or the new ones, never half of them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_EVERYBODY = 0o666  #: reduced by the umask
PRIVATE = 0o600  #: only for the owner
PARTIAL = ".partial"  #: suffix of an incomplete file


@contextmanager
def replacing(path: Path, mode: int = _EVERYBODY) -> Iterator[Path]:
    """An empty file beside ``path`` that replaces it if the block ends without an error.

    After an error it is deleted and ``path`` is unchanged. What a killed process left is removed by
    the next one that writes ``path``. ``mode`` gives the new file's permissions. Raises OSError.
    """
    partial, lock = _open_partial(path, mode)
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        os.close(lock)


def atomic_write(path: Path, data: bytes, *, mode: int = _EVERYBODY) -> None:
    """Replace the content of ``path`` by ``data``, synced to disk; raises OSError."""
    with replacing(path, mode) as partial, partial.open("r+b") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def is_at(path: Path, descriptor: int) -> bool:
    """True when ``path`` still names the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _open_partial(path: Path, mode: int) -> tuple[Path, int]:
    """A new file beside ``path``, and the descriptor that locks it.

    Its name follows from that of ``path``, so that what a killed process left is found again. While
    a living process writes under that name, it is a random one.
    """
    partial = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}{PARTIAL}")
    _remove_abandoned(partial)
    for name in (partial, path.with_name(f".{secrets.token_hex(8)}{PARTIAL}")):
        try:
            lock = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        except FileExistsError:
            continue
        if _lock(lock) is not False and is_at(name, lock):
            return name, lock
        os.close(lock)  # another process took it for abandoned before it was locked
    raise FileExistsError(f"other processes are writing {path}")


def _remove_abandoned(partial: Path) -> None:
    """Delete ``partial`` unless a living process is writing it."""
    try:
        found = os.open(partial, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return  # there is none, or it is not ours
    try:
        if _lock(found) and is_at(partial, found):
            partial.unlink(missing_ok=True)
    finally:
        os.close(found)


def _lock(descriptor: int) -> bool | None:
    """Whether this process alone has locked the open file; None if its disk knows no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True
