"""The lanes a worker can serve with what is on its machine now."""

from __future__ import annotations

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import WrongUsage
from winepress_shared.lane import FILM, Lane, Precision
from winepress_shared.settings import Settings
from winepress_worker.models.offered import Offered, look_elsewhere
from winepress_worker.models.shelf import Shelf
from winepress_worker.options import WorkerOptions


class OpenLanes:
    """Looks again whenever it is asked: models are prepared, pulled and removed while it runs."""

    def __init__(self, options: WorkerOptions, settings: Settings) -> None:
        self._options = options
        # One shelf for good: it remembers which files it has verified. The renderer reads the
        # catalogue once too, so an entry added later needs another worker.
        self._shelf = Shelf(settings.home, Catalogue.load(settings.catalogue))
        self._offered = Offered(settings)

    def find_first(self) -> list[str]:
        """Every lane, for a worker that starts; raises WrongUsage when there is none.

        Asks the store when the machine itself has none to serve; nobody else may have yet.
        """
        try:
            return self.find()
        except WrongUsage:
            look_elsewhere()
            return self.find()

    def find(self) -> list[str]:
        """Every lane; raises WrongUsage when there is none."""
        lanes = [
            Lane(model, precision, device)
            for model, precision in dict.fromkeys([*self._shelf.available(), *self._pullable()])
            for device in dict.fromkeys((None, self._options.device_class))
        ]
        lanes.append(Lane(FILM, Precision.FP16))
        served = [str(lane) for lane in lanes if self._options.serves(lane)]
        if not served:
            raise WrongUsage(
                "no lane matches",
                field="--lanes",
                value=",".join(self._options.lanes),
                allowed=", ".join(map(str, lanes)),
            )
        return served

    def _pullable(self) -> list[tuple[str, Precision]]:
        """What the store offers and the catalogue knows."""
        catalogue = self._shelf.catalogue
        return [
            (model, precision)
            for model, precision in self._offered.read()
            if model in catalogue.names and precision in catalogue.get(model).precisions
        ]
