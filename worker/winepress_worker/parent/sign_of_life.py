"""Shows to systemd and to probes that a worker goes on taking what waits, while that is so.

A worker may beat and yet take no tickets any more, after a connection broke in a way that nobody
noticed. Starting it again is then the only remedy, so the process alone proves nothing.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

PATIENCE_S = 300.0  #: without having asked for a ticket, or an excuse, before no more is shown
_SOCKET = "NOTIFY_SOCKET"  #: variable with the address at which systemd listens


class SignOfLife:
    """One worker's sign; its methods belong to one thread."""

    def __init__(self, asked_at: Callable[[], float], file: Path | None = None) -> None:
        """``asked_at`` tells when the worker last asked for a ticket, on the monotonic clock.

        ``file`` is touched at every sign. systemd is told if it started this process.
        """
        self._asked_at = asked_at
        self._file = file
        self._address = os.environ.get(_SOCKET, "")
        self._excused_at = time.monotonic()
        self._is_shown = True

    def excuse(self) -> None:
        """Say that a worker that is well would not have asked now: it works, drains, or waits."""
        self._excused_at = time.monotonic()

    def show(self) -> None:
        """Give the sign, unless the worker should have asked for a ticket long ago."""
        silent_s = time.monotonic() - max(self._excused_at, self._asked_at())
        was_shown, self._is_shown = self._is_shown, silent_s <= PATIENCE_S
        if self._is_shown:
            self._touch()
            self._tell("READY=1\nWATCHDOG=1")
        elif was_shown:
            log.error("asked for no ticket for %.0f s: probes and systemd hear no more", silent_s)

    def _touch(self) -> None:
        if self._file is None:
            return
        try:
            self._file.touch()
        except OSError as error:
            log.warning("cannot touch %s: %s", self._file, error.strerror)

    def _tell(self, words: str) -> None:
        if not self._address:
            return
        # An address that begins with @ is in the kernel's own name space.
        address = f"\0{self._address[1:]}" if self._address[0] == "@" else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to_systemd:
            try:
                to_systemd.sendto(words.encode(), address)
            except OSError as error:
                log.warning("cannot reach systemd: %s", error.strerror)
