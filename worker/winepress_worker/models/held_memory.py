"""How much memory this process comes to hold while something is done."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

import psutil


class HeldMemory:
    """Counts from its making on."""

    def __init__(self) -> None:
        self._before = _held_bytes()

    def grown(self, least: int) -> int:
        """Bytes held more than before; ``least`` where what was freed earlier hides them."""
        return max(_held_bytes() - self._before, least)


def _held_bytes() -> int:
    """Without what is freed and not given back: it would be taken again, and not be counted."""
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library than GNU's has no such call
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return int(psutil.Process().memory_info().rss)
