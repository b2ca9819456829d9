"""Which models the store and the live workers of the farm have."""

from __future__ import annotations

from dataclasses import dataclass

from winepress_shared.errors import BrokerUnreachable, StoreUnreachable, WrongUsage
from winepress_shared.lane import Lane, Precision
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_worker.models.registry import ModelRegistry


@dataclass(frozen=True)
class FarmView:
    """Models in the store, and models warm on live workers; None if store or broker is down."""

    registry: frozenset[tuple[str, Precision]] | None
    warm: dict[str, list[str]] | None  #: model and precision → names of workers
    problems: tuple[str, ...] = ()  #: the reasons for None, one line each

    @classmethod
    def look(cls, settings: Settings) -> FarmView:
        """Ask store and broker once; an outage is listed in ``problems``, not raised."""
        problems, registry, warm = [], None, None
        try:
            registry = frozenset(ModelRegistry(open_store(settings)).names())
        except (StoreUnreachable, WrongUsage) as error:
            problems.append(f"cannot list published models: {error}")
        try:
            warm = _warm(Ledger(settings))
        except BrokerUnreachable as error:
            problems.append(f"cannot list warm models: {error}")
        return cls(registry, warm, tuple(problems))

    def is_published(self, name: str, precision: Precision) -> bool | None:
        """Whether workers can pull it; None if the store does not answer."""
        return None if self.registry is None else (name, precision) in self.registry

    def warm_on(self, name: str, precision: Precision) -> list[str] | None:
        """The workers that hold it compiled; None if the broker does not answer."""
        return None if self.warm is None else self.warm.get(str(Lane(name, precision)), [])


def _warm(ledger: Ledger) -> dict[str, list[str]]:
    warm: dict[str, list[str]] = {}
    for worker in ledger.workers():
        for model in worker.renderer.get("warm", ()):
            warm.setdefault(str(model), []).append(worker.name)
    return warm
