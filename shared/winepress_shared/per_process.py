"""What belongs to the process that opened it, such as a connection: a fork does not share it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Opens a value at its first use in each process.

    What a child inherits it neither uses nor closes, for its parent still does. No lock is held: a
    thread that held one during a fork would not be there in the child to give it back.
    """

    def __init__(self, open_one: Callable[[], T]) -> None:
        self._open = open_one
        self._opened: dict[int, T] = {}  # process id → its value

    def get(self) -> T:
        """The value of this process; of two threads that open it, one's is dropped unused."""
        pid = os.getpid()
        try:
            return self._opened[pid]
        except KeyError:
            return self._opened.setdefault(pid, self._open())

    def pop(self) -> T | None:
        """Forget the value of this process, which is returned; None when it has none."""
        return self._opened.pop(os.getpid(), None)
