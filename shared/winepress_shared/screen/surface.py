"""What a stream is good for: a terminal that can be drawn on, and how wide a text is there."""

from __future__ import annotations

import os
from typing import TextIO

_DUMB = ("", "dumb", "unknown")  #: values of TERM that promise nothing
_SIZE = os.terminal_size((80, 24))  #: of a terminal that does not say


def can_draw(stream: TextIO) -> bool:
    """Whether it is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "") not in _DUMB


def size_of(stream: TextIO) -> os.terminal_size:
    """Columns and lines of the terminal behind ``stream``."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except OSError:  # it claims to be a terminal but is none
        return _SIZE
    return os.terminal_size((size.columns or _SIZE.columns, size.lines or _SIZE.lines))


def width_of(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # two for many letters of Asia, none for joiners

    return cell_len(text)
