"""Marks of jobs whose steps somebody watches: of all others workers report no steps.

A mark is short-lived, and renewed as long as somebody watches. A worker learns of it when it claims
a slice, by a message, and with each of its reports.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from winepress_shared.errors import BrokerUnreachable, DamagedRecord, QueueFull

if TYPE_CHECKING:
    from winepress_shared.ledger.script_server import ScriptServer

_KEPT_MS = 15_000  #: a mark that is not renewed
_RENEW_S = 4.0  #: least time between two marks of a job; below the wait of a reader of events


class Watchers:
    """Sets the marks of one process; thread-safe."""

    def __init__(self, server: ScriptServer) -> None:
        self._server = server
        self._marked: dict[str, float] = {}  # job → when it was marked last

    def watch(self, job_ids: Iterable[str]) -> None:
        """Have the steps of these jobs reported for the next seconds.

        Without the mark they are only reported more seldom, so whatever prevents it is no error.
        """
        now, marked = time.monotonic(), self._marked
        due = [one for one in job_ids if now - marked.get(one, -math.inf) >= _RENEW_S]
        if not due:
            return
        recent = {one: at for one, at in marked.items() if now - at < _RENEW_S}
        with contextlib.suppress(BrokerUnreachable, DamagedRecord, QueueFull):
            self._server.run("watch", _KEPT_MS, *due)
            self._marked = recent | dict.fromkeys(due, now)
