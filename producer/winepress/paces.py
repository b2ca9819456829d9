"""The measured paces of live workers: how fast each lane is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import TYPE_CHECKING

from winepress_shared.lane import model_key

if TYPE_CHECKING:
    from winepress_shared.ledger.lanes import InHand
    from winepress_shared.ledger.records import Worker


class Paces:
    """The pace of every lane, per worker and per device."""

    def __init__(self, workers: Iterable[Worker], measured: Mapping[str, float]) -> None:
        """``measured`` is the answer of `LaneIndex.paces`, for workers that have drawn nothing."""
        self._workers = list(workers)
        self._measured = measured

    def serving(self, lane: str) -> list[Worker]:
        """The live workers that serve ``lane``."""
        return [worker for worker in self._workers if worker.serves(lane)]

    def rates(self, lane: str) -> list[float]:
        """The rate of each worker that serves ``lane``, in megapixel-steps per second.

        A worker that has not drawn in the lane has the rate of its device, or else the mean of the
        other workers. Empty when no rate is known.
        """
        rates = [self._rate(worker, lane) for worker in self.serving(lane)]
        known = [rate for rate in rates if rate]
        return [rate or fmean(known) for rate in rates] if known else []

    def _rate(self, worker: Worker, lane: str) -> float:
        own = worker.renderer.get("megapixel_steps_per_s", {}).get(lane)
        return float(own or self._measured.get(f"{lane} {worker.facts.get('device')}", 0.0))

    def picture_s(self, lane: str, cost: float) -> float:
        """Mean seconds that one worker takes for a picture of ``lane``; 0 when no rate is known.

        Where no picture has been drawn yet, it is the time for ``cost`` megapixel-steps.
        """
        drawn = [
            worker.renderer.get("seconds_per_picture", {}).get(lane)
            for worker in self.serving(lane)
        ]
        known = [seconds for seconds in drawn if seconds]
        if known:
            return fmean(known)
        rates = self.rates(lane)
        return cost / fmean(rates) if rates else 0.0

    def picture_s_of(self, worker: Worker, lane: str, cost: float) -> float:
        """The same for one worker: its own mean where it has drawn in ``lane``."""
        own = worker.renderer.get("seconds_per_picture", {}).get(lane)
        return float(own or self.picture_s(lane, cost))

    def share_workers(self, lane: str, other: str) -> bool:
        """Whether a worker serves both lanes."""
        return any(worker.serves(other) for worker in self.serving(lane))


def pictures_before(slice_: InHand, priority: int, worker: Worker) -> int:
    """Pictures of ``slice_`` that ``worker`` draws before a job of ``priority``.

    A slice of a lower priority gives way at the end of its call, any other is drawn to its end.
    """
    if slice_.priority <= priority:
        return slice_.units
    per_call = worker.renderer.get("pictures_per_call", {}).get(model_key(slice_.lane), 1)
    return min(slice_.units, int(per_call))
