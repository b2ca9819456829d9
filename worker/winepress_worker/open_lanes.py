"""The lanes a worker can serve with what is on its machine now."""

from __future__ import annotations

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import WrongUsage
from winepress_shared.lane import FILM, Lane
from winepress_shared.settings import Settings
from winepress_worker.models.shelf import Shelf
from winepress_worker.options import WorkerOptions


class OpenLanes:
    """Looks again whenever it is asked: models are prepared, pulled and removed while it runs."""

    def __init__(self, options: WorkerOptions, settings: Settings) -> None:
        self._options = options
        # One shelf for good: it remembers which files it has verified. The renderer reads the
        # catalogue once too, so an entry added later needs another worker.
        self._shelf = Shelf(settings.home, Catalogue.load(settings.catalogue))

    def find(self) -> list[str]:
        """Every lane; raises WrongUsage when there is none."""
        lanes = [
            Lane(model, precision, device)
            for model, precision in self._shelf.available()
            for device in dict.fromkeys((None, self._options.device_class))
        ]
        lanes.append(Lane(FILM, None))
        served = [str(lane) for lane in lanes if self._options.serves(lane)]
        if not served:
            raise WrongUsage(
                "no lane matches",
                field="--lanes",
                value=",".join(self._options.lanes),
                allowed=", ".join(map(str, lanes)),
            )
        return served
