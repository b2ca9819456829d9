"""A stream that plays a terminal: it has a size, and remembers what is written to it."""

from __future__ import annotations

import io
import re

_SGR = re.compile(r"\x1b\[[0-9;]*m")
_ERASED = re.compile(r"(?:\x1b\[\d?A|\x1b\[2K|\r(?!\n))+")


class PlayedTerminal(io.StringIO):
    """Has no descriptor: its size is the one that is assumed where a terminal does not say."""

    def isatty(self) -> bool:
        """Claim to be one."""
        return True

    @property
    def text(self) -> str:
        """What is written, without colours."""
        return _SGR.sub("", self.getvalue())

    @property
    def plain_lines(self) -> list[str]:
        """Every line, without colours and trailing spaces."""
        return [line.rstrip() for line in self.text.splitlines()]

    @property
    def last_lines(self) -> list[str]:
        """The lines of what is drawn last, without colours."""
        last = _ERASED.split(self.text)[-1]
        return [line.rstrip() for line in last.splitlines()]
