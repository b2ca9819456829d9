"""The memory that all workers of a machine share: what each holds, written where the others look.

One file a process below a common folder, locked by its owner for life, so that the kernel tells
the living from the dead. Every change is made under one more lock: two workers never take the same
room.
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

_WANT_S = 5.0  #: what is wanted is asked for again as long as it is
_ROW_BYTES = 128  #: of the file of one process; two sizes and a time have less


class HostBudget:
    """This process's part of a machine's memory for models; methods raise EnvironmentFault."""

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
        """Hold ``size`` bytes in all from now on, if that leaves the sum within the limit."""
        with self._alone():
            if size > self._held and size + sum(held for held, _ in self._others()) > self.limit:
                return False
            self._held, self._wanted = size, 0
            self._write()
            return True

    def settle(self, size: int) -> None:
        """Say what is really held, which may be more than was thought."""
        if size != self._held:
            with self._alone():
                self._held = size
                self._write()

    def want(self, size: int) -> None:
        """Ask the others for `_WANT_S` to give ``size`` bytes back, of what they do not use."""
        with self._alone():
            self._wanted, self._wanted_until = size, time.monotonic() + _WANT_S
            self._write()

    def room(self) -> int:
        """Most that this process could hold now, with what it holds already."""
        with self._alone():
            return self.limit - sum(held for held, _ in self._others())

    def lacking(self) -> int:
        """Bytes that others want and do not find, or that all hold together beyond the limit."""
        with self._alone():
            others = list(self._others())
        free = self.limit - self._held - sum(held for held, _ in others)
        return max(0, max((wanted for _, wanted in others), default=0) - free)

    def close(self) -> None:
        """Hold nothing any more."""
        self._mine.close()

    def _others(self) -> Iterator[tuple[int, int]]:
        """What every other live process holds and wants."""
        return _rows(self._folder, Path(self._mine.name).name)

    def _write(self) -> None:
        row = {"held": self._held, "wanted": self._wanted, "until": self._wanted_until}
        self._mine.seek(0)
        # Over the text before, which is as long: a full disk must not leave the others none.
        self._mine.write(json.dumps(row).ljust(_ROW_BYTES))
        self._mine.flush()

    def _alone(self) -> AbstractContextManager[None]:
        return _alone(self._folder)


def books_of(home: Path) -> Path:
    """The folder in which the workers of this machine write down what they hold."""
    return home / "memory" / socket.gethostname()  # a home may be shared by machines


def held_bytes(folder: Path) -> int:
    """What all live processes hold by their own word; raises EnvironmentFault."""
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
        problem = "cannot keep the books of this machine's memory"
        raise os_fault(problem, error, str(folder)) from error


def _rows(folder: Path, but: str = "") -> Iterator[tuple[int, int]]:
    """What each live process holds and wants, ``but`` one; files of the dead are removed."""
    for path in folder.glob("*.json"):
        if path.name == but:
            continue
        with path.open("r+", encoding="utf-8") as file:
            if _is_free(file):
                path.unlink()
                continue
            text = file.read()
        if not text:  # the disk was full when it began
            continue
        row = json.loads(text)
        # The clock is one for all processes of a machine.
        yield int(row["held"]), int(row["wanted"]) if time.monotonic() < row["until"] else 0


def _is_free(file: TextIO) -> bool:
    """Whether nobody holds the file: its owner is gone."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
