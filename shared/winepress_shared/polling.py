"""Polls a condition until it holds."""

from __future__ import annotations

import time
from collections.abc import Callable


def poll(
    is_so: Callable[[], bool],
    *,
    every_s: float,
    timeout_s: float,
    pause: Callable[[float], object] = time.sleep,
) -> bool:
    """Call ``is_so`` until it returns true, with a pause of ``every_s`` seconds after each no.

    Returns False when it has returned no for ``timeout_s`` seconds. It is called at least once.
    """
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() >= deadline:
            return False
        pause(every_s)
    return True
