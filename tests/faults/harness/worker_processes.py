"""The processes of one worker: found by role, killed, frozen."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_TRACKER = b"semaphore_tracker"  #: a child of Celery's that draws nothing


class WorkerProcesses:
    """A parent and its renderer, in a session of their own."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def pid(self) -> int | None:
        """The process id of the parent; None while it is dead."""
        raise NotImplementedError

    def end(self) -> None:
        """End all of them with force, for good."""
        raise NotImplementedError

    @property
    def renderer_pid(self) -> int | None:
        """The process id of what draws; None while there is none."""
        pid = self.pid
        return next(iter(_renderers_of(pid)), None) if pid else None

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to the parent; False if it is dead."""
        return _sent(os.kill, self.pid, number)

    def kill_parent(self) -> bool:
        """SIGKILL to the parent alone; the kernel then ends what draws."""
        return self.send(signal.SIGKILL)

    def kill_group(self) -> bool:
        """SIGKILL to all of them at once."""
        return _sent(os.killpg, self.pid, signal.SIGKILL)

    def kill_renderer(self) -> bool:
        """SIGKILL to what draws, and to nothing else."""
        return _sent(os.kill, self.renderer_pid, signal.SIGKILL)

    def freeze(self, *, thaw: bool = False) -> None:
        """SIGSTOP to all of them, or SIGCONT."""
        _sent(os.killpg, self.pid, signal.SIGCONT if thaw else signal.SIGSTOP)


def is_alive(pid: int) -> bool:
    """Whether a process exists and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _sent(send: Callable[[int, int], None], pid: int | None, number: signal.Signals) -> bool:
    if pid is None:
        return False
    try:
        send(pid, number)
    except ProcessLookupError:
        return False
    return True


def _renderers_of(pid: int) -> list[int]:
    found = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in thread.read_text().split():
                if _TRACKER not in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found
