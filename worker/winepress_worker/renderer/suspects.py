"""Jobs over which this worker has left a lane: its surroundings were at fault, or the job was.

Which of the two it was shows as soon as the worker serves something else of that lane: then its
surroundings are in order, and a job that meets a fault of them again has brought it along.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from winepress_shared.lane import model_key
from winepress_shared.ledger.records import Slice

KEPT_S = 3600.0  #: surroundings that fail again after so long may be another matter
_MOST = 256  #: jobs


@dataclass
class _Suspicion:
    model: str
    since: float = 0.0
    units: set[int] = field(default_factory=set)  #: that were not served
    is_confirmed: bool = False  #: something else was served since


class Suspects:
    """What one worker suspects of jobs; threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._jobs: dict[str, _Suspicion] = {}  # the oldest first
        self._turn = threading.Lock()

    def add(self, slice_: Slice, unit: int) -> None:
        """The worker leaves the lane over this unit."""
        with self._turn:
            found = self._jobs.pop(slice_.job_id, None)
            if found is None or found.model != model_key(slice_.lane):
                found = _Suspicion(model_key(slice_.lane))
            found.units.add(unit)
            found.since = self._clock()
            self._jobs[slice_.job_id] = found
            if len(self._jobs) > _MOST:
                del self._jobs[next(iter(self._jobs))]

    def served(self, slice_: Slice, unit: int) -> None:
        """A unit is drawn and counted: its own job is cleared by one that was not served before."""
        with self._turn:
            own = self._jobs.get(slice_.job_id)
            if own is not None and unit in own.units:
                del self._jobs[slice_.job_id]
            for suspicion in self._jobs.values():
                if suspicion.model == model_key(slice_.lane):
                    suspicion.is_confirmed = True

    def is_to_blame(self, slice_: Slice) -> bool:
        """Whether a fault of this worker's surroundings is rather one of the slice's job."""
        with self._turn:
            self._forget()
            found = self._jobs.get(slice_.job_id)
            return found is not None and found.is_confirmed

    def wait_for_others(self, lane: str) -> bool:
        """Whether serving something else of ``lane`` first would tell more."""
        with self._turn:
            self._forget()
            return any(
                one.model == model_key(lane) and not one.is_confirmed for one in self._jobs.values()
            )

    def _forget(self) -> None:
        before = self._clock() - KEPT_S
        self._jobs = {job: one for job, one in self._jobs.items() if one.since > before}
