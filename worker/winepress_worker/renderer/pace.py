"""How fast this worker is in each lane, learned from every picture it draws."""

from __future__ import annotations

from collections import deque
from statistics import median

from winepress_shared.cost import limit_s
from winepress_worker.renderer.time_limit import TimeLimit

_WEIGHT = 0.3  #: of the newest picture in the running mean
_FIRST_SLICE = 4  #: units taken in a lane of unknown pace
_MOST_UNITS = 512  #: units of one slice at the most
_STEPS_KEPT = 200


class Pace:
    """Running figures per lane; not thread-safe, belongs to the rendering thread."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._rates: dict[str, float] = {}
        self._steps: deque[float] = deque(maxlen=_STEPS_KEPT)
        self._first: set[str] = set()  # lanes of which only a first call is known

    def learn(
        self,
        lane: str,
        call_s: float,
        steps: int,
        cost: float = 0.0,
        pictures: int = 1,
        *,
        is_first: bool = False,
    ) -> None:
        """Note a call that drew that many pictures; ``cost`` is megapixel-steps of each.

        The first call after a load compiled too: it counts where nothing else is known, until the
        next one.
        """
        if is_first and lane in self._seconds:
            return
        if lane in self._first:
            self._forget_first(lane)
        elif is_first:
            self._first.add(lane)
        picture_s = call_s / pictures
        _follow(self._seconds, lane, picture_s)
        _follow(self._rates, lane, cost / max(picture_s, 1e-3))
        self._steps.append(call_s / max(steps, 1))

    def _forget_first(self, lane: str) -> None:
        self._first.discard(lane)
        del self._seconds[lane], self._rates[lane]

    def units_for(self, lane: str, seconds: float) -> int:
        """How many units fill ``seconds`` in this lane."""
        each = self._seconds.get(lane)
        if each is None:
            return _FIRST_SLICE
        return max(1, min(_MOST_UNITS, int(seconds / max(each, 1e-3))))

    def limit(self, lane: str, cost: float) -> TimeLimit:
        """The time a picture of ``cost`` megapixel-steps may take in this lane."""
        rate = self._rates.get(lane, 0.0)
        return TimeLimit(limit_s(cost, rate), lane, cost, rate)

    @property
    def step_s(self) -> float:
        """Median seconds of a step lately; 0 before the first picture."""
        return median(self._steps) if self._steps else 0.0

    def rates(self) -> dict[str, float]:
        """Lane → megapixel-steps per second."""
        return {lane: round(rate, 4) for lane, rate in self._rates.items()}

    def facts(self) -> dict[str, float]:
        """Lane → seconds per picture."""
        return {lane: round(seconds, 3) for lane, seconds in self._seconds.items()}


def _follow(mean: dict[str, float], lane: str, newest: float) -> None:
    known = mean.get(lane, newest)
    mean[lane] = known + _WEIGHT * (newest - known)
