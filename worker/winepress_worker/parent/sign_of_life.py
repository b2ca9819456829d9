"""Shows to systemd and to probes that a supervisor goes on; it ends a worker that is deaf."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

log = logging.getLogger(__name__)

_SOCKET = "NOTIFY_SOCKET"  #: variable with the address at which systemd listens


class SignOfLife:
    """One worker's sign."""

    def __init__(self, file: Path | None = None) -> None:
        """``file`` is touched at every sign; systemd is told if it started this process."""
        self._file = file
        self._address = os.environ.get(_SOCKET, "")

    def show(self) -> None:
        """Give the sign."""
        self._touch()
        self._tell("READY=1\nWATCHDOG=1")

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
