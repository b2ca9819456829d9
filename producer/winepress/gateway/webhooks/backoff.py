"""When a delivery that failed is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable

_LONGEST_S = 6 * 3600.0  #: between two tries
_JITTER = 0.2  #: share by which a time differs, so that many deliveries do not return together


def pause_s(
    tries: int,
    first_s: float,
    asked_s: float | None = None,
    draw: Callable[[], float] = random.random,
) -> float:
    """Seconds before the next try after ``tries`` that failed; each pause is twice the one before.

    ``asked_s`` is what the receiver asks for: it is obeyed if it is longer, up to `_LONGEST_S`.
    ``draw`` returns a random number from 0 to 1.
    """
    doubled = min(first_s * 2.0 ** min(tries - 1, 40), _LONGEST_S)
    pause = doubled * (1 + _JITTER * (2 * draw() - 1))
    return min(max(pause, asked_s or 0.0), _LONGEST_S)
