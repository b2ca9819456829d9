"""Why workers do not serve a model that they have, and what would help."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from winepress_shared.lane import Lane, Precision, device_class, model_key
from winepress_shared.ledger.records import Worker

_GIB = 2**30
_MOST_NAMED = 4  #: workers whose reasons are given


@dataclass(frozen=True)
class Refusals:
    """The reasons of the workers that have the device of a lane, but do not serve its model."""

    lane: str
    workers: Sequence[Worker]

    @classmethod
    def of(cls, lane: str, workers: Iterable[Worker]) -> Refusals:
        """The refusals of ``lane``; workers on another kind of device are left out."""
        device = device_class(lane)
        return cls(lane, [w for w in workers if str(w.facts.get("device", "")).startswith(device)])

    @property
    def text(self) -> str:
        """One sentence without its full stop; empty when no worker refuses."""
        return "; ".join(filter(None, (self._size(), self._surroundings())))

    def _size(self) -> str:
        model = model_key(self.lane)
        # A worker with another reason may have a larger budget.
        too_small = [worker for worker in self.workers if model in worker.too_large]
        if not too_small:
            return ""
        needs = [worker.too_large[model] for worker in too_small]
        budgets = [float(worker.facts.get("memory_budget", 0)) for worker in too_small]
        return (
            f"{model} needs {_size(min(needs))} of memory, and the largest budget of a worker that "
            f"has it is {_size(max(budgets))}; `winepress worker --memory-budget "
            f"{math.ceil(min(needs) / _GIB)}GiB` starts one with enough memory"
            ", or `--low-memory` beside a smaller one draws it slowly, one stage at a time"
            f"{self._smaller(model)}"
        )

    def _smaller(self, model: str) -> str:
        """The same model in a precision that needs less memory, where there is one."""
        lane = Lane.parse(self.lane)
        for precision in (Precision.INT8_WEIGHTS, Precision.INT8, Precision.INT4_WEIGHTS):
            other = str(Lane(lane.model, precision))
            if other != model and any(worker.serves(other) for worker in self.workers):
                return f", and a worker serves {precision.value} now"
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
        model = model_key(self.lane)
        told = [f"{w.name}: {w.unfit[model]}" for w in self.workers if model in w.unfit]
        if not told:
            return ""
        more = f"; and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
        return (
            f"these workers cannot serve {model} now: {'; '.join(told[:_MOST_NAMED])}{more}. They "
            "try again when the cause has changed, and every few minutes"
        )


def refused_models(worker: Worker) -> dict[str, str]:
    """Model key → why this worker does not serve it."""
    large = {
        model: f"needs {_size(need)} of memory, has {_size(worker.facts.get('memory_budget', 0))}"
        for model, need in worker.too_large.items()
    }
    return large | worker.unfit


def _size(size: float) -> str:
    return f"{size / _GIB:.1f} GiB" if size >= _GIB else f"{size / 2**20:.0f} MiB"
