"""Files that only their owner may read."""

from __future__ import annotations

from pathlib import Path

from winepress_shared.atomic_file import PRIVATE, atomic_write


def write_private(path: Path, text: str) -> None:
    """Write ``text`` with mode 0600; see `atomic_file`. Raises OSError."""
    atomic_write(path, text.encode("utf-8"), mode=PRIVATE)
