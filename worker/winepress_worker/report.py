"""The callback through which long work reports its progress."""

from __future__ import annotations

from collections.abc import Callable

#: Called with what is being done and the share of the whole that is done, 0 to 1.
Report = Callable[[str, float], None]


def ignore_progress(message: str, fraction: float) -> None:
    """A `Report` that does nothing."""
