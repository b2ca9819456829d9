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
    return_freed()
    return own_bytes()


def return_freed() -> None:
    """Give memory back to the kernel that this process has freed: compiling leaves much of it."""
    gc.collect()
    with suppress(OSError, AttributeError):  # only GNU's C library has this call
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def own_bytes() -> int:
    """Memory that this process holds now and the kernel cannot take back; see proc(5).

    Pages of mapped files do not count. Once a device has arranged the weights in its own way, those
    of the model's files are never read again, and go when another program needs the memory.
    """
    resident, shared = Path("/proc/self/statm").read_text("ascii").split()[1:3]
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
