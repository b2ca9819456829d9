"""The wish that a farm should stop, and a second one that it should hurry."""

from __future__ import annotations

import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager


class StopRequest:
    """Counts how often somebody asked; may be asked from a signal handler."""

    def __init__(self) -> None:
        self._count = 0
        self._interrupts = False
        # A SimpleQueue, alone among its kind, may be put to in a handler that interrupts a get.
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()

    def ask(self, *_: object) -> None:
        """Ask to stop; asked again, to hurry."""
        self._count += 1
        self._asked.put(None)
        if self._interrupts:
            self._interrupts = False
            raise KeyboardInterrupt

    def wait(self) -> None:
        """Return once somebody has asked."""
        while not self._count:
            self._asked.get()

    def is_asked(self) -> bool:
        """Whether the farm should stop."""
        return self._count > 0

    def is_hurried(self) -> bool:
        """Whether it should not wait for pictures being drawn."""
        return self._count > 1

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Raise KeyboardInterrupt, once, if somebody asks by a signal while inside or before."""
        self._interrupts = True
        try:
            if self._count:
                raise KeyboardInterrupt
            yield
        finally:
            self._interrupts = False

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Ask at SIGINT, SIGTERM and SIGHUP while inside; for the main thread."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = [signal.signal(number, self.ask) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)
