"""Does something again and again beside the farm."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Self


class Repeated(ABC):
    """Has a thread of its own during its ``with`` block, whose end waits for the turn in hand."""

    def __init__(self, name: str, first_s: float) -> None:
        """The first turn comes after ``first_s`` seconds."""
        self._first_s = first_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        pause_s = self._first_s
        while not self._over.wait(pause_s):
            pause_s = self._turn()

    @abstractmethod
    def _turn(self) -> float:
        """Do it once; returns the seconds until the next turn."""
