"""The time one picture may take on this worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from winepress_shared.cost import LIMIT_FACTOR
from winepress_shared.errors import RetryElsewhere


@dataclass(frozen=True)
class TimeLimit:
    """A limit, and what it was computed from."""

    seconds: float | None  #: None while the pace is unknown: only the step clock counts
    lane: str
    cost: float  #: megapixel-steps of the picture
    rate: float  #: measured megapixel-steps per second

    def watching(
        self, on_step: Callable[[int, int], None], clock: Callable[[], float] = time.monotonic
    ) -> Callable[[int, int], None]:
        """The same step callback; it raises RetryElsewhere once the time is over."""
        began = clock()

        def limited(done: int, steps: int) -> None:
            if self.seconds is not None and clock() - began > self.seconds and done < steps:
                raise RetryElsewhere(
                    f"step {done} of {steps} came after {clock() - began:.0f} s; the time limit is "
                    f"{self.seconds:.0f} s: at least {LIMIT_FACTOR} times what "
                    f"{self.cost:.3g} megapixel-steps take at the {self.rate:.3g} per second "
                    f"measured for {self.lane} on this worker"
                )
            on_step(done, steps)

        return limited
