"""How much memory this process comes to hold while something is done."""

from __future__ import annotations

import ctypes
import gc
import os
from contextlib import suppress
from pathlib import Path


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
    return resident_bytes()


def resident_bytes() -> int:
    """Memory this process holds now (field 2 of /proc/self/statm, see proc(5))."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
