"""The memory budget that all workers of a machine share; each process writes what it holds.

There is one file per process in a common folder, locked by its process while it lives, so that
files of dead processes can be recognised. Every change is made under one common lock, so that two
workers never take the same memory.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TextIO

from winepress_worker.os_fault import os_fault

_WANT_S = 5.0  #: a request for memory lapses after this unless it is repeated
_ROW_BYTES = 128  #: longest content of one process's file: two sizes and a time


class HostBudget:
    """This process's share of a machine's model memory; methods raise EnvironmentFault."""

    def __init__(self, folder: Path, limit: int) -> None:
        """``limit`` is in bytes; workers of one machine use the same folder and limit."""
        self.limit = limit
        self._folder = folder
        self._held = self._wanted = 0
        self._wanted_until = 0.0
        with self._alone():
            path = folder / f"{os.getpid()}-{secrets.token_hex(4)}.json"
            self._mine = path.open("w+", encoding="utf-8")
            fcntl.flock(self._mine, fcntl.LOCK_EX)
            self._write()

    def hold(self, size: int) -> bool:
        """Set this process's total to ``size`` bytes, if the sum stays within the limit."""
        with self._alone():
            if size > self._held and size + sum(held for held, _ in self._others()) > self.limit:
                return False
            self._held, self._wanted = size, 0
            self._write()
            return True

    def settle(self, size: int) -> None:
        """Set the total to the measured ``size``, which may exceed the estimate."""
        if size != self._held:
            with self._alone():
                self._held = size
                self._write()

    def want(self, size: int) -> None:
        """Ask the others, for `_WANT_S`, to free ``size`` bytes that they do not use."""
        with self._alone():
            self._wanted, self._wanted_until = size, time.monotonic() + _WANT_S
            self._write()

    def room(self) -> int:
        """Most bytes that this process could hold now, including what it holds already."""
        with self._alone():
            return self.limit - sum(held for held, _ in self._others())

    def lacking(self) -> int:
        """Bytes that others request in vain, or by which the sum exceeds the limit."""
        with self._alone():
            others = list(self._others())
        free = self.limit - self._held - sum(held for held, _ in others)
        return max(0, max((wanted for _, wanted in others), default=0) - free)

    def close(self) -> None:
        """Give up this process's share."""
        self._mine.close()

    def _others(self) -> Iterator[tuple[int, int]]:
        """The bytes that every other live process holds and requests."""
        return _rows(self._folder, Path(self._mine.name).name)

    def _write(self) -> None:
        row = {"held": self._held, "wanted": self._wanted, "until": self._wanted_until}
        self._mine.seek(0)
        # Overwrites text of equal length: a full disk must not empty the file.
        self._mine.write(json.dumps(row).ljust(_ROW_BYTES))
        self._mine.flush()

    def _alone(self) -> AbstractContextManager[None]:
        return _alone(self._folder)


def books_of(home: Path) -> Path:
    """The folder in which the workers of this machine record what they hold."""
    return home / "memory" / socket.gethostname()  # a home may be shared by machines


def held_bytes(folder: Path) -> int:
    """The recorded bytes of all live processes; raises EnvironmentFault."""
    with _alone(folder):
        return sum(held for held, _ in _rows(folder))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        problem = "cannot record this machine's use of memory"
        raise os_fault(problem, error, str(folder)) from error


def _rows(folder: Path, but: str = "") -> Iterator[tuple[int, int]]:
    """Bytes held and requested per live process, except ``but``; removes files of dead ones."""
    for path in folder.glob("*.json"):
        if path.name == but:
            continue
        with path.open("r+", encoding="utf-8") as file:
            if _is_free(file):
                path.unlink()
                continue
            text = file.read()
        if not text:  # the disk was full when its process started
            continue
        row = json.loads(text)
        # All processes of a machine share this clock.
        yield int(row["held"]), int(row["wanted"]) if time.monotonic() < row["until"] else 0


def _is_free(file: TextIO) -> bool:
    """Whether the file is unlocked: its process has ended."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
