"""The events of jobs: one Redis stream per job; a reader can wait for several together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from winepress_shared.errors import InvalidJob
from winepress_shared.ledger.events import Event

if TYPE_CHECKING:
    from winepress_shared.ledger.script_server import ScriptServer

BLOCK_MS = 5_000  #: longest wait for an event; below the timeout of a command
_MOST_EVENTS = 500  #: per job in one answer
_WAKE_MS = 60_000  #: lifetime of a wake-up call
_EVENT_ID = re.compile(r"[0-9]{1,19}(-[0-9]{1,19})?")


def check_event_id(after: str) -> str:
    """Return ``after``; raises InvalidJob if it is not an event id."""
    if not isinstance(after, str) or not _EVENT_ID.fullmatch(after):
        raise InvalidJob("not an event id", field="after", value=after)
    return after


def order_of_id(event_id: str) -> tuple[int, int]:
    """The sort key of an event id within its job."""
    at, _, number = event_id.partition("-")
    return int(at), int(number or 0)


class EventLog:
    """Reads the events of jobs; methods raise BrokerUnreachable."""

    def __init__(self, server: ScriptServer, prefix: str) -> None:
        self._server = server
        self._jobs = f"{prefix}events:"
        self._calls = f"{prefix}wake:"
        self._last_call = "0"

    def read(
        self, positions: Mapping[str, str], block_ms: int | None = None, wakes: str | None = None
    ) -> dict[str, list[Event]]:
        """The events of each job after a position; waits up to ``block_ms`` for the first.

        The wait is at most `BLOCK_MS`; `wake` with the name ``wakes`` ends it early. Raises
        InvalidJob if a position is not an event id.
        """
        places: dict[Any, Any] = {
            self._jobs + job: check_event_id(after) for job, after in positions.items()
        }
        if wakes is not None:
            places[self._calls + wakes] = self._last_call
        block = min(block_ms, BLOCK_MS) if block_ms else None  # 0 would wait for ever
        with self._server.reaching():
            answer = self._server.client.xread(places, count=_MOST_EVENTS, block=block)
        found = rows_of(answer)
        calls = found.pop(f"{self._calls}{wakes}", [])
        if calls:
            self._last_call = calls[-1][0]
        return {
            name.removeprefix(self._jobs): [Event.of(row_id, row) for row_id, row in rows]
            for name, rows in found.items()
        }

    def wake(self, name: str) -> None:
        """End the current or next `read` that ``name`` wakes."""
        self._server.run("wake", name, _WAKE_MS)


def rows_of(answer: Any) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Stream → its rows in an XREAD answer.

    redis-py returns a list of pairs under RESP2 and a mapping to a list of lists under RESP3.
    """
    if not answer:
        return {}
    if isinstance(answer, dict):
        return {name: [row for batch in found for row in batch] for name, found in answer.items()}
    return {name: list(rows) for name, rows in answer}
