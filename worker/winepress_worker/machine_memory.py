"""The memory of this machine, and how much of it models may take unless somebody says otherwise."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from winepress_shared.errors import EnvironmentFault
from winepress_worker.host_budget import books_of, held_bytes

_MEMORY = Path("/proc/meminfo")
_CONTROL_GROUP = Path("/sys/fs/cgroup")
#: Of what is free when a farm starts. The rest is for the libraries of each renderer (about 1 GiB),
#: for what loading takes for a moment, and for other programs.
_SHARE = 0.85


def free_memory(memory: Path = _MEMORY, group: Path = _CONTROL_GROUP) -> int:
    """Bytes that can be had without swapping: the machine's, or its control group's if less."""
    lines = dict(line.split(":", 1) for line in memory.read_text("ascii").splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    try:  # see cgroup-v2 in the kernel's documentation
        limit = (group / "memory.max").read_text("ascii").strip()
        used = int((group / "memory.current").read_text("ascii"))
        cached = dict(
            line.split() for line in (group / "memory.stat").read_text("ascii").splitlines()
        )
    except (OSError, ValueError):
        return free
    if limit == "max":
        return free
    return max(min(free, int(limit) - used + int(cached.get("inactive_file", "0"))), 0)


def machine_budget(home: Path | None = None) -> int:
    """Bytes that the models of all workers of this machine may hold together by default.

    What workers of the same ``home`` hold already is for models too.
    """
    held = 0
    if home is not None:
        with suppress(EnvironmentFault):  # of the books: whoever needs them meets it again
            held = held_bytes(books_of(home))
    return max(1, int(_SHARE * (free_memory() + held)))


def share_out(worker: int | None, host: int | None, machine: int) -> tuple[int, int]:
    """Bytes for the models of one worker, and of all workers of the machine (0 is no limit).

    With neither given they share ``machine``, what this one has.
    """
    if worker is None:
        return host or machine, host or machine
    return worker, host or 0
