"""How long somebody waits for a job."""

from __future__ import annotations

import time

from winepress.caller_checks import check_timeout
from winepress_shared.ledger.event_log import BLOCK_MS

_SILENCE_S = 2 * BLOCK_MS / 1000  #: after that much of it the reader is asked whether it reads


class Deadline:
    """The end of a wait, ``timeout`` seconds from now; raises WrongUsage for what is no time."""

    def __init__(self, job_id: str, timeout: float | None) -> None:
        self._job_id = job_id
        self._at = None if check_timeout(timeout) is None else time.monotonic() + (timeout or 0)

    def patience_s(self) -> float:
        """How long to wait for the next event at the most; raises TimeoutError past the end."""
        if self._at is None:
            return _SILENCE_S
        left_s = self._at - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(
                f"job {self._job_id} is still going on: the time to wait for it is over"
            )
        return min(left_s, _SILENCE_S)
