"""What this machine's processor can compute quickly."""

from __future__ import annotations

from pathlib import Path

_DESCRIPTION = Path("/proc/cpuinfo")
#: Flags of processors that multiply 8-bit integers faster than floats; see Linux's cpufeatures.h.
_EIGHT_BIT = frozenset({"avx_vnni", "avx512_vnni", "amx_int8"})


def is_quick_at_8_bits(description: Path = _DESCRIPTION) -> bool | None:
    """Whether it has VNNI or AMX; None if its description does not tell."""
    try:
        lines = description.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    flags = next((line.partition(":")[2] for line in lines if line.startswith("flags")), None)
    return None if flags is None else not _EIGHT_BIT.isdisjoint(flags.split())
