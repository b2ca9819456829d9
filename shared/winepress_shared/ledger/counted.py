"""The pictures that were counted lately, and what becomes of those that the store has lost.

A store that acknowledges a write before its disk has it loses the newest objects in a power cut.
The ledger keeps which pictures were counted last, so that `winepress recover` can look for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import Settings
from winepress_shared.state import JobState

_PAGE = 1000  #: entries per request
_MISSING = "missing"
PENDING = "pending"  #: what `states` says of a job whose submission is not complete


class CountedPictures:
    """Reads and corrects what was counted; methods raise BrokerUnreachable."""

    def __init__(self, settings: Settings, server: ScriptServer) -> None:
        self._prefix = f"{settings.farm}:"
        self._server = server

    def lately(self, minutes: float) -> dict[str, dict[int, str]]:
        """Job → unit → SHA-256, of what was counted in the last ``minutes`` of the farm's work.

        The ledger keeps the newest twenty thousand, so the answer has a limit. They count back from
        the newest: a farm that has stood still since a power cut is asked for the time before it.
        """
        found: dict[str, dict[int, str]] = {}
        for row in self._newest_first(minutes):
            unit = row.get("unit", "")
            if unit.isdecimal():
                found.setdefault(row.get("job", ""), {}).setdefault(
                    int(unit), row.get("sha256", "")
                )
        return found

    def _newest_first(self, minutes: float) -> Iterator[dict[str, str]]:
        last, oldest = "+", 0
        while True:
            with self._server.reaching():
                page = cast(
                    "list[tuple[str, dict[str, str]]]",
                    self._server.client.xrevrange(
                        f"{self._prefix}counted_pictures", last, "-", _PAGE
                    ),
                )
            for entry_id, row in page:
                at = int(entry_id.partition("-")[0])
                oldest = oldest or at - int(minutes * 60_000)
                if at < oldest:
                    return
                yield row
            if len(page) < _PAGE:
                return
            last = f"({page[-1][0]}"

    def states(self, job_ids: Sequence[str]) -> dict[str, str]:
        """Id → the state of a job, or ``pending``; without those the ledger does not know."""
        found: list[Any] = []
        with self._server.reaching():
            pipe = self._server.client.pipeline(transaction=False)
            for job_id in job_ids:
                pipe.hmget(f"{self._prefix}job:{job_id}", "state", "pending")
            found = pipe.execute()
        pairs = zip(job_ids, found, strict=True)
        return {
            job_id: PENDING if pending else state
            for job_id, (state, pending) in pairs
            if state is not None
        }

    def still(self, job_id: str, units: Sequence[int]) -> list[int]:
        """Those of ``units`` of a job that has not ended that are counted now."""
        with self._server.reaching():
            pipe = self._server.client.pipeline(transaction=False)
            for unit in units:
                pipe.getbit(f"{self._prefix}done:{job_id}", unit)
            found = pipe.execute()
        return [unit for unit, is_done in zip(units, found, strict=True) if is_done]

    def draw_again(self, job_id: str, units: Iterable[int]) -> tuple[JobState | None, int]:
        """Let units wait again that have no object.

        Returns the job's state, None if it is unknown, and how many wait again: none of a job that
        has ended, and in a chain also those that were drawn after them.
        """
        state, count = self._server.run("draw_again", job_id, *units)
        return (None if state == _MISSING else JobState(state)), int(count)

    def forget(self, job_id: str) -> bool:
        """Remove the record of a job that has ended, to enter it again; False if it has not."""
        return bool(self._server.run("forget", job_id))
