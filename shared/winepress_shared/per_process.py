"""A value that belongs to one process, such as a connection: forks do not share it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Opens a value at its first use in each process.

    A child neither uses nor closes its parent's value. There is no lock: one held by another thread
    during a fork would never be released in the child.
    """

    def __init__(self, open_one: Callable[[], T]) -> None:
        self._open = open_one
        self._opened: dict[int, T] = {}  # process id → its value

    def get(self) -> T:
        """The value of this process; if two threads open it, one value is dropped unused."""
        pid = os.getpid()
        try:
            return self._opened[pid]
        except KeyError:
            return self._opened.setdefault(pid, self._open())

    def pop(self) -> T | None:
        """Remove and return the value of this process; None if it has none."""
        return self._opened.pop(os.getpid(), None)
