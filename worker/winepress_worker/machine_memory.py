"""The free memory of this machine, and the default budget for models."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from winepress_shared.errors import EnvironmentFault
from winepress_worker.host_budget import books_of, held_bytes

_MEMORY = Path("/proc/meminfo")
_CONTROL_GROUP = Path("/sys/fs/cgroup")
#: Share of the memory that is free when a farm starts. The rest is for each renderer's libraries
#: (about 1 GiB), for peaks during loading, and for other programs.
_SHARE = 0.85


def free_memory(memory: Path = _MEMORY, group: Path = _CONTROL_GROUP) -> int:
    """Bytes available without swapping, on the machine or in its control group if that is less."""
    lines = dict(line.split(":", 1) for line in memory.read_text("ascii").splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    try:  # see cgroup-v2 in the kernel documentation
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
    """Default limit in bytes for the models of all workers of this machine together.

    Memory that workers of the same ``home`` hold already counts as available.
    """
    held = 0
    if home is not None:
        with suppress(EnvironmentFault):  # raised again when the budget is used
            held = held_bytes(books_of(home))
    return max(1, int(_SHARE * (free_memory() + held)))


def share_out(worker: int | None, host: int | None, machine: int) -> tuple[int, int]:
    """Bytes for the models of one worker, and of all workers of the machine (0: no limit).

    If neither is given, all workers share ``machine`` bytes.
    """
    if worker is None:
        return host or machine, host or machine
    return worker, host or 0
