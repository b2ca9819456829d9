"""What has been done with each key of the gateway, counted across all of its processes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass

from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import Settings


@dataclass(frozen=True)
class Wish:
    """A job that is about to be submitted."""

    job_id: str
    units: int
    steps: float = 0.0  #: megapixel-steps of all units
    user: str = ""
    idempotency_key: str = ""  #: of this user; a known one reserves nothing


@dataclass(frozen=True)
class Reservation:
    """What a key's limits allow for jobs that are about to be submitted."""

    job_ids: frozenset[str] = frozenset()  #: for which something was reserved
    day: int = 0  #: that their megapixel-steps were counted for
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
        self, key_id: str, wishes: Iterable[Wish], most_units: int | None, most_steps: float | None
    ) -> Reservation:
        """Reserve all units and megapixel-steps, or none where a limit leaves too little room.

        Accepted jobs count until they have ended; give back the others.
        """
        answer, *found = self._server.run(
            "reserve",
            key_id,
            most_units or 0,
            repr(float(most_steps or 0)),
            *[part for wish in wishes for part in astuple(wish)],
        )
        if answer == "units":
            return Reservation(open_units=found[0])
        if answer == "steps":
            return Reservation(steps=float(found[0]), until_tomorrow_s=found[1] / 1000)
        return Reservation(frozenset(found[1:]), found[0])

    def give_back(self, key_id: str, day: int, steps: float, job_ids: Iterable[str]) -> None:
        """Give back what was reserved for jobs that were not accepted."""
        self._server.run("give_back", key_id, day, repr(float(steps)), *job_ids)

    def close(self) -> None:
        """Close the connections; they are reopened when needed."""
        self._server.close()
