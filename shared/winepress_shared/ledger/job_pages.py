"""The list of all jobs, page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from winepress_shared.ledger.records import JobRow, read_jobs
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import Settings
from winepress_shared.state import JobState

_PAGE = 200  #: jobs read at a time
_MOST_SCANNED = 10_000  #: jobs looked at for one page


class JobPages:
    """Reads the list of jobs; methods raise BrokerUnreachable."""

    def __init__(self, settings: Settings, server: ScriptServer) -> None:
        self._prefix = f"{settings.farm}:"
        self._server = server

    def dead(self, limit: int) -> list[JobRow]:
        """The ``limit`` jobs that last gave up a unit, the newest first; each until it is retried.

        `Ledger.control` with ``drop`` takes a job off this list.
        """
        with self._server.reaching():
            found = self._server.client.zrevrange(f"{self._prefix}dead", 0, limit - 1)
        ids = cast("list[str]", found)
        rows = self._server.hashes([f"{self._prefix}job:{job_id}" for job_id in ids])
        return [row for row in read_jobs(ids, rows) if isinstance(row, JobRow)]

    def page(
        self,
        state: JobState | None,
        before: int | None,
        limit: int,
        is_wanted: Callable[[JobRow], bool],
    ) -> tuple[list[JobRow], int | None]:
        """Up to ``limit`` wanted jobs, newest first, and the position at which to continue.

        ``before`` is such a position; None begins with the newest job. At most `_MOST_SCANNED` jobs
        are looked at, so a page can be short or empty although more follow; the position is None
        when none do.
        """
        index = f"{self._prefix}jobs" + (f":{state}" if state else "")
        last: float | str = "+inf" if before is None else f"({before}"
        found: list[JobRow] = []
        count = min(limit, _PAGE)  # most often all are wanted
        for _ in range(_MOST_SCANNED // _PAGE):
            with self._server.reaching():
                pairs = self._server.client.zrevrangebyscore(
                    index, last, "-inf", start=0, num=count, withscores=True
                )
            orders = {str(name): int(order) for name, order in cast("list[Any]", pairs)}
            rows = self._server.hashes([f"{self._prefix}job:{job_id}" for job_id in orders])
            for row in read_jobs(list(orders), rows):
                if isinstance(row, JobRow) and is_wanted(row):
                    found.append(row)
                    if len(found) == limit:
                        return found, orders[row.id]
            if len(orders) < count:
                return found, None
            last, count = f"({min(orders.values())}", _PAGE
        return found, int(str(last)[1:])
