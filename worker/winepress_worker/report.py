"""How a long piece of work says how far it is."""

from __future__ import annotations

from collections.abc import Callable

#: Called with what is being done and the share of the whole that is done, 0 to 1.
Report = Callable[[str, float], None]


def ignore_progress(message: str, fraction: float) -> None:
    """A `Report` that does nothing."""
