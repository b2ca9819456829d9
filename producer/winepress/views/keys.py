"""Keys that are pressed at a terminal, read one by one."""

from __future__ import annotations

import os
import select
import termios
import time
import tty
from typing import Any, Self, TextIO


class Keys:
    """Reads keys without waiting for Enter and without showing them, while its block runs."""

    def __init__(self, stream: TextIO) -> None:
        """``stream`` is standard input; where it is no terminal, no key is ever pressed."""
        self._descriptor = stream.fileno() if stream.isatty() else None
        self._saved: list[Any] = []

    def __enter__(self) -> Self:
        if self._descriptor is not None:
            self._saved = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor)
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._saved)

    def pressed(self, timeout: float) -> str:
        """What is pressed within ``timeout`` seconds, several keys at once perhaps.

        Raises EOFError when the terminal is gone.
        """
        if self._descriptor is None:
            time.sleep(timeout)
            return ""
        if not select.select([self._descriptor], [], [], timeout)[0]:
            return ""
        try:
            found = os.read(self._descriptor, 1024)
        except OSError:
            raise EOFError from None
        if not found:
            raise EOFError
        return found.decode("utf-8", "replace")
