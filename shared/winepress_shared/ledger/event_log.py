"""What happened to jobs: streams in Redis, of one job each, that may be waited for together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from winepress_shared.errors import InvalidJob
from winepress_shared.ledger.events import Event

if TYPE_CHECKING:
    from winepress_shared.ledger.script_server import ScriptServer

BLOCK_MS = 5_000  #: longest wait for an event; below the time a command may take
_MOST_EVENTS = 500  #: of one job in one answer
_WAKE_MS = 60_000  #: a call to look again is kept so long
_EVENT_ID = re.compile(r"[0-9]{1,19}(-[0-9]{1,19})?")


def check_event_id(after: str) -> str:
    """``after`` itself; raises InvalidJob when it is not the id of an event."""
    if not isinstance(after, str) or not _EVENT_ID.fullmatch(after):
        raise InvalidJob("not the id of an event", field="after", value=after)
    return after


def order_of_id(event_id: str) -> tuple[int, int]:
    """Where an event stands among those of its job."""
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
        """What happened to each job after an event of it; waits up to ``block_ms`` for the first.

        It waits `BLOCK_MS` at the most, and ends early when somebody calls ``wakes``. Raises
        InvalidJob when a position is not an event's id.
        """
        places: dict[Any, Any] = {
            self._jobs + job: check_event_id(after) for job, after in positions.items()
        }
        if wakes is not None:
            places[self._calls + wakes] = self._last_call
        block = min(block_ms, BLOCK_MS) if block_ms else None  # 0 would be for ever
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
        """End a `read` that ``name`` wakes: the one under way, or the next."""
        self._server.run("wake", name, _WAKE_MS)


def rows_of(answer: Any) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Stream → its rows in an XREAD answer.

    redis-py answers a list of pairs under RESP2 and a mapping to a list of lists under RESP3.
    """
    if not answer:
        return {}
    if isinstance(answer, dict):
        return {name: [row for batch in found for row in batch] for name, found in answer.items()}
    return {name: list(rows) for name, rows in answer}
