"""The live workers of the farm, read from the broker at most once a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from winepress.client import Client
from winepress.explanation import why_job_impossible
from winepress_shared.ledger.records import JobRow, Worker

_FRESH_S = 1.0  #: workers beat every five seconds


class LiveWorkers:
    """Answers for all requests of one gateway; threads share it, and its calls block."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._workers: Sequence[Worker] = ()

    def now(self) -> Sequence[Worker]:
        """Every live worker, as of the last second; raises BrokerUnreachable."""
        with self._lock:
            if time.monotonic() - self._read_at > _FRESH_S:
                self._workers = self._client.workers()
                self._read_at = time.monotonic()
            return self._workers

    def why_impossible(self, row: JobRow) -> str | None:
        """Why no live worker can render a job, or cut its film; None when one can."""
        return why_job_impossible(row, self.now())
