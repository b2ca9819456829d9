"""Whether work grows with its input and no faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from winepress_shared.errors import WinepressError

TIMES = 8  #: larger is the second input
#: Work that grows with the square takes 64 times as long, one that grows with the input 8 times.
MOST = 24.0
_TRIES = 3


def growth(work: Callable[[str], object], unit: str, characters: int, before: str = "") -> float:
    """How many times as long ``work`` takes on ``TIMES`` the text; it may refuse both.

    Processor time of this thread: others that keep the machine busy do not count.
    """

    def cpu_s(size: int) -> float:
        text = before + unit * (size // len(unit))
        began = time.thread_time()
        with suppress(WinepressError):
            work(text)
        return time.thread_time() - began

    least = [min(cpu_s(size) for _ in range(_TRIES)) for size in (characters, TIMES * characters)]
    return least[1] / max(least[0], 1e-4)  # below a tenth of a millisecond a clock says nothing
