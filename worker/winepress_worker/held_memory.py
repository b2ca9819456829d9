"""Measures how much this process's memory grows during an operation."""

from __future__ import annotations

import ctypes
import gc
import os
from contextlib import suppress
from pathlib import Path


class HeldMemory:
    """Measures growth since it was created."""

    def __init__(self) -> None:
        self._before = _held_bytes()

    def grown(self, least: int) -> int:
        """The growth in bytes, at least ``least``: memory freed meanwhile can hide growth."""
        return max(_held_bytes() - self._before, least)


def _held_bytes() -> int:
    """Memory in use, after returning freed memory to the kernel: reusing it would hide growth."""
    gc.collect()
    with suppress(OSError, AttributeError):  # only GNU's C library has this call
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return resident_bytes()


def resident_bytes() -> int:
    """Memory this process holds now (field 2 of /proc/self/statm, see proc(5))."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
