"""What has been done with each key of the gateway, counted across all of its processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import Settings


@dataclass(frozen=True)
class Reservation:
    """What a key's limits allow for jobs that are about to be submitted."""

    day: int | None  #: that the megapixel-steps were counted for; None: nothing was reserved
    open_units: int | None = None  #: that have not ended, if they leave too little room
    steps: float | None = None  #: of today, if they leave too little room
    until_tomorrow_s: float = 0.0


class KeyQuotas:
    """Counts requests, units and megapixel-steps; methods raise BrokerUnreachable.

    A broker that loses its data counts anew, and nobody is refused for it.
    """

    def __init__(self, settings: Settings, server: ScriptServer | None = None) -> None:
        """``server`` is one that others use too; without it this opens its own."""
        self._server = server or ScriptServer(settings, f"{settings.farm}:")

    def count_request(self, key_id: str, most: int) -> float:
        """Count a request; 0, or if ``most`` in a minute are reached the seconds to wait."""
        return float(self._server.run("count_request", key_id, most)) / 1000

    def reserve(
        self,
        key_id: str,
        units: Mapping[str, int],
        steps: float,
        *,
        most_units: int | None,
        most_steps: float | None,
    ) -> Reservation:
        """Reserve all of it or nothing: ``units`` by job, and their megapixel-steps.

        Accepted jobs count until they have ended; give back the others.
        """
        jobs = [part for pair in units.items() for part in pair]
        limits = (most_units or 0, repr(float(most_steps or 0)))
        answer, number, *rest = self._server.run(
            "reserve", key_id, *limits, repr(float(steps)), *jobs
        )
        if answer == "units":
            return Reservation(None, open_units=number)
        if answer == "steps":
            return Reservation(None, steps=float(number), until_tomorrow_s=rest[0] / 1000)
        return Reservation(number)

    def give_back(self, key_id: str, day: int, steps: float, job_ids: Iterable[str]) -> None:
        """Give back what was reserved for jobs that were not accepted."""
        self._server.run("give_back", key_id, day, repr(float(steps)), *job_ids)

    def close(self) -> None:
        """Close the connections; they are reopened when needed."""
        self._server.close()
