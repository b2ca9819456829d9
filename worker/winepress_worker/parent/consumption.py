"""Proof that a worker consumes: a process may live and beat while its consumer takes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST_ASK_S = 900.0  #: before the consumer asks for the first time models may have to be loaded


class Consumption:
    """What the consumer of one worker does; its thread and the supervisor's share it."""

    def __init__(
        self, tickets_in_hand: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``tickets_in_hand`` counts those that were taken and not worked off."""
        self._tickets_in_hand = tickets_in_hand
        self._clock = clock
        self._asked_at = clock() + FIRST_ASK_S
        self._working_at = clock()

    def asked(self) -> None:
        """The consumer asks the broker for a ticket, as it does every second while it is idle."""
        self._asked_at = self._clock()

    def excuse(self) -> None:
        """The broker was away: nobody could ask, or be given a slice."""
        now = self._clock()
        self._asked_at, self._working_at = max(self._asked_at, now), now

    def look(self, *, has_slices: bool) -> tuple[float, float]:
        """Seconds since an idle consumer last asked, and since a ticket in hand has no slice."""
        now, in_hand = self._clock(), self._tickets_in_hand()
        if in_hand:
            self._asked_at = max(self._asked_at, now)
        if has_slices or not in_hand:
            self._working_at = now
        return now - self._asked_at, now - self._working_at
