"""A command in a terminal of its own: what it writes is read, keys are pressed."""

from __future__ import annotations

import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from typing import Self

_PATIENCE_S = 60.0
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"  #: the screen that leaves no trace


class TerminalSession:
    """Runs a command on a terminal of 100 columns and 30 lines while its ``with`` block does."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self._ready = select.poll()
        self._ready.register(self._ours, select.POLLIN)
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.modes = termios.tcgetattr(self._ours)
        self.written = ""  #: all of it so far
        self.process = subprocess.Popen(
            command,
            env={**environment, "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            # Keys that mean signals reach only the processes that a terminal belongs to.
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def press(self, keys: str) -> None:
        """Press keys; ``\\x03`` is Ctrl-C."""
        os.write(self._ours, keys.encode())

    def await_text(self, *texts: str) -> None:
        """Return when every text was written since the last call that awaited any."""
        begin, deadline = len(self.written), time.monotonic() + _PATIENCE_S
        while not all(text in self.written[begin:] for text in texts):
            assert self._read(deadline), f"{texts} not in {self.written[begin:][-3000:]!r}"

    def end(self) -> int:
        """The exit code, when all is read."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._read(deadline):
            pass
        return self.process.wait(_PATIENCE_S)

    @property
    def has_left_screen(self) -> bool:
        """Whether it took the whole screen, and gave it back."""
        return self.written.count(ENTER) == self.written.count(LEAVE) == 1

    def _read(self, deadline: float) -> bool:
        """Read on; False at the end, or when that took too long."""
        left_s = deadline - time.monotonic()
        if not self._ready.poll(max(0.0, left_s) * 1000):
            return False
        try:
            found = os.read(self._ours, 65536)
        except OSError:  # every process has closed it
            return False
        self.written += found.decode("utf-8", "replace")
        return bool(found)
