"""Lets what is finished wait for a store that is away, as it waits for the broker."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from winepress_shared.errors import (
    ObjectMissing,
    ObjectTooLarge,
    StoreRefused,
    StoreUnreachable,
)

log = logging.getLogger(__name__)

#: A finished picture waits so long for the store; a parent takes more than `LOAD_LIMIT_S` without a
#: step for a hang, and one try may take three minutes.
PATIENCE_S = 600.0
_PAUSES_S = (0.2, 0.5, 1.0, 2.0)  #: between tries; the last one again and again
_ANSWERS = (StoreRefused, ObjectMissing, ObjectTooLarge)  #: of a store that is there

T = TypeVar("T")


class StoreOutage:
    """One process's patience with its store; its threads share it."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._since: float | None = None  # the store did not answer from then on
        self._fault: StoreUnreachable | None = None  # what is raised once patience is over

    @property
    def is_on(self) -> bool:
        """Whether the store did not answer when it was last tried, and is waited for."""
        return self._since is not None and self._fault is None

    def begin_anew(self) -> None:
        """Nothing waits any more: the next outage gets the whole patience."""
        self._since = self._fault = None

    def outlast(self, call: Callable[[], T], is_wanted: Callable[[], bool]) -> T:
        """The answer of ``call``, which is tried until the store is back.

        Raises StoreUnreachable when patience is over, for all that waits at once; and when what was
        to be stored is wanted no more.
        """
        tries = 0
        while True:
            if self._fault is not None:
                raise self._fault
            began = self._clock()
            try:
                found = call()
            except _ANSWERS:
                raise
            except StoreUnreachable as error:
                self._note(error, began)
                if self._fault is not None or not is_wanted():
                    raise
                log.warning("what is finished waits for the store: %s", error)
                self._sleep(_PAUSES_S[min(tries, len(_PAUSES_S) - 1)])
                tries += 1
            else:
                self.begin_anew()
                return found

    def _note(self, error: StoreUnreachable, began: float) -> None:
        if self._since is None:
            self._since = began
        if self._clock() - self._since >= PATIENCE_S:
            self._fault = error
