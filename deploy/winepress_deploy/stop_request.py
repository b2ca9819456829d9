"""A request to stop a farm, and a second one to stop it without waiting."""

from __future__ import annotations

import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager


class StopRequest:
    """Counts stop requests; safe to use in a signal handler."""

    def __init__(self) -> None:
        self._count = 0
        self._interrupts = False
        # Of all queues only SimpleQueue allows a put in a signal handler that interrupts a get.
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()

    def ask(self, *_: object) -> None:
        """Request a stop; a second call requests one without waiting."""
        self._count += 1
        self._asked.put(None)
        if self._interrupts:
            self._interrupts = False
            raise KeyboardInterrupt

    def wait(self) -> None:
        """Return once a stop is requested."""
        while not self._count:
            self._asked.get()

    def is_asked(self) -> bool:
        """Whether the farm should stop."""
        return self._count > 0

    def is_hurried(self) -> bool:
        """Whether the farm should not wait for unfinished pictures."""
        return self._count > 1

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Raise KeyboardInterrupt once if a signal requests a stop before or inside the block."""
        self._interrupts = True
        try:
            if self._count:
                raise KeyboardInterrupt
            yield
        finally:
            self._interrupts = False

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Request a stop on SIGINT, SIGTERM and SIGHUP inside the block; for the main thread."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = [signal.signal(number, self.ask) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)
