"""Why workers that know a model do not serve it, and what would help."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from winepress_shared.lane import Lane, Precision, model_of
from winepress_shared.ledger.records import Worker

_GIB = 2**30
_MOST_NAMED = 4  #: workers whose reasons are told


@dataclass(frozen=True)
class Refusals:
    """What the workers of one lane's kind of device say about its model."""

    lane: str
    workers: Sequence[Worker]

    @classmethod
    def of(cls, lane: str, workers: Iterable[Worker]) -> Refusals:
        """Of workers on another kind of device than the lane asks for nothing is to be expected."""
        device = lane.partition("@")[2]
        return cls(lane, [w for w in workers if str(w.facts.get("device", "")).startswith(device)])

    @property
    def text(self) -> str:
        """One sentence without its end; empty when nobody refuses."""
        return "; ".join(filter(None, (self._memory(), self._surroundings())))

    def _memory(self) -> str:
        model = model_of(self.lane)
        # Of workers that have another reason the budget may well be larger.
        too_small = [worker for worker in self.workers if model in worker.too_large]
        if not too_small:
            return ""
        needs = [worker.too_large[model] for worker in too_small]
        budgets = [float(worker.facts.get("memory_budget", 0)) for worker in too_small]
        return (
            f"{model} needs {_gib(min(needs))} of memory, and the largest budget of a worker that "
            f"has it is {_gib(max(budgets))}; `winepress worker --memory-budget "
            f"{math.ceil(min(needs) / _GIB)}GiB` starts one that can hold it{self._smaller(model)}"
        )

    def _smaller(self, model: str) -> str:
        """What else could be drawn: the same model in a precision that takes less."""
        lane = Lane.parse(self.lane)
        for precision in (Precision.INT8_WEIGHTS, Precision.INT8, Precision.INT4_WEIGHTS):
            other = str(Lane(lane.model, precision))
            if other != model and any(worker.serves(other) for worker in self.workers):
                return f", and {precision.value} is served now"
        weights = str(Lane(lane.model, Precision.INT8_WEIGHTS))
        if lane.precision is not Precision.FP16 or any(
            weights in w.too_large for w in self.workers
        ):
            return ""
        return (
            f", or `winepress models prepare {lane.model} --precision int8-weights` makes a "
            "smaller one"
        )

    def _surroundings(self) -> str:
        model = model_of(self.lane)
        told = [f"{w.name}: {w.unfit[model]}" for w in self.workers if model in w.unfit]
        if not told:
            return ""
        more = f"; and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
        return (
            f"{model} cannot be served now by {'; '.join(told[:_MOST_NAMED])}{more}. It is tried "
            "again when that has changed, and every few minutes"
        )


def refused_models(worker: Worker) -> dict[str, str]:
    """Model, with its precision → why this worker does not serve it."""
    large = {
        model: f"needs {_gib(need)} of memory, may use {_gib(worker.facts.get('memory_budget', 0))}"
        for model, need in worker.too_large.items()
    }
    return large | worker.unfit


def _gib(size: float) -> str:
    return f"{size / _GIB:.1f} GiB"
