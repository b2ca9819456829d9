"""The deadline of a caller who waits for a job."""

from __future__ import annotations

import time

from winepress.caller_checks import check_timeout
from winepress_shared.ledger.event_log import BLOCK_MS

_SILENCE_S = 2 * BLOCK_MS / 1000  #: without an event for so long, the subscription is renewed


class Deadline:
    """A deadline ``timeout`` seconds from now, or none; raises WrongUsage if it is invalid."""

    def __init__(self, job_id: str, timeout: float | None) -> None:
        self._job_id = job_id
        self._at = None if check_timeout(timeout) is None else time.monotonic() + (timeout or 0)

    def patience_s(self) -> float:
        """The longest wait for an event, in seconds; raises TimeoutError past the deadline."""
        if self._at is None:
            return _SILENCE_S
        left_s = self._at - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"job {self._job_id} has not ended within the timeout")
        return min(left_s, _SILENCE_S)
