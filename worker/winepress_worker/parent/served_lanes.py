"""The lanes a worker can serve with what is on its machine now."""

from __future__ import annotations

import math

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import WrongUsage
from winepress_shared.lane import FILM, Lane, Precision
from winepress_shared.settings import Settings
from winepress_worker.engine_name import EngineName
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.registry_index import RegistryIndex, look_elsewhere
from winepress_worker.options import WorkerOptions


class ServedLanes:
    """Looks anew on each call: models are prepared, pulled and removed while a worker runs."""

    def __init__(self, options: WorkerOptions, settings: Settings) -> None:
        self._options = options
        self._fake = EngineName.parse(options.engine).fake
        self._in_registry = RegistryIndex(settings)
        # Kept, so that a model that cannot be used is logged once. The renderer reads the catalogue
        # once too, so a worker must be started again for an entry that is added later.
        self._local_models = LocalModels(
            settings.home,
            Catalogue.load(settings.catalogue),
            published_memory=self._in_registry.memory_of,
        )
        #: Model, with its precision → bytes it needs, of those that `find` last saw to be larger
        #: than this worker's memory.
        self.too_large: dict[str, int] = {}
        self.staged: list[str] = []  #: those of which it holds one stage at a time

    def find_first(self) -> list[str]:
        """Every lane, for a worker that starts; raises WrongUsage when there is none.

        Asks the store when this machine has no model to serve: no renderer may have asked yet.
        """
        try:
            return self.find()
        except WrongUsage:
            look_elsewhere()
            return self.find()

    def find(self) -> list[str]:
        """Every lane; raises WrongUsage when there is none.

        Models that do not fit into this worker's memory are left to other workers.
        """
        lanes = [
            Lane(model, precision, device)
            for model, precision in dict.fromkeys(
                [*self._local_models.available(), *self._pullable()]
            )
            for device in dict.fromkeys((None, self._options.device_class))
        ]
        lanes.append(Lane(FILM, Precision.FP16))
        allowed = [lane for lane in lanes if self._options.serves(lane)]
        self.too_large = self._find_too_large(allowed)
        self.staged = self._find_staged(allowed)
        served = [str(lane) for lane in allowed if lane.model_key not in self.too_large]
        if not served and self.too_large:
            least = min(self.too_large.values())
            raise WrongUsage(
                "no model of these lanes fits into the memory this worker may use",
                field="--memory-budget",
                value=f"{self._options.model_budget / 2**30:.1f} GiB",
                allowed=f"{math.ceil(least / 2**30)}GiB or more",
            )
        if not served:
            raise WrongUsage(
                "no lane matches",
                field="--lanes",
                value=",".join(self._options.lanes),
                allowed=", ".join(map(str, lanes)),
            )
        return served

    def _memory_needed(self, model: str, precision: Precision) -> int:
        if self._fake:
            return self._fake.footprint_bytes
        return self._local_models.memory_needed(model, precision, self._options.staged_above)

    def _find_too_large(self, lanes: list[Lane]) -> dict[str, int]:
        needs = {
            lane.model_key: self._memory_needed(lane.model, lane.precision)
            for lane in lanes
            if lane.model != FILM
        }
        return {name: need for name, need in needs.items() if need > self._options.model_budget}

    def _find_staged(self, lanes: list[Lane]) -> list[str]:
        above = self._options.staged_above
        found = {
            lane.model_key: self._local_models.stage_bytes(lane.model, lane.precision, above)
            for lane in lanes
            if not self._fake and lane.model != FILM and lane.model_key not in self.too_large
        }
        return [model for model, staged in found.items() if staged]

    def _pullable(self) -> list[tuple[str, Precision]]:
        """Models that the store offers and the catalogue knows."""
        catalogue = self._local_models.catalogue
        return [
            (model, precision)
            for model, precision in self._in_registry.read()
            if model in catalogue.names and precision in catalogue.get(model).precisions
        ]
