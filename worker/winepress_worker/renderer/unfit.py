"""The models that this worker cannot serve at the moment, and why.

Its surroundings are at fault and no job is: memory, disk space or the model is missing here, and
another worker may have it, so no lane rests. A model is tried again when what was missing has
changed, and otherwise after a growing pause.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from winepress_shared.errors import DiskFull, EnvironmentFault

FIRST_PAUSE_S = 10.0  #: before it is tried again; doubled for each further refusal
LONGEST_PAUSE_S = 300.0
_FREED_BYTES = 64 * 2**20  #: a disk with so much more room has changed
_REASON_CHARACTERS = 300


@dataclass(frozen=True)
class _Refusal:
    reason: str
    pause_s: float
    until: float
    files: object  #: what was on the disk of the model; any other value is a change
    room: tuple[int, ...] | None  #: bytes left on each disk, where that was at fault


class Unfit:
    """Models, with their precision, that this worker leaves to others; threads may share it."""

    def __init__(
        self,
        files_of: Callable[[str], object],
        disks: Collection[Path] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``files_of`` says what of a model is on this machine, in a value that can be compared.

        ``disks`` are folders on the disks that this worker writes to.
        """
        self._files_of = files_of
        self._disks = (*disks, None)  # the last is that of films
        with suppress(OSError):  # chosen now: later Python would pass over a disk that is full then
            tempfile.gettempdir()
        self._clock = clock
        self._refused: dict[str, _Refusal] = {}
        self._earlier: dict[str, _Refusal] = {}  # refusals that are over
        self._turn = threading.Lock()

    def refuse(self, model: str, error: EnvironmentFault) -> None:
        """Leave ``model`` to others because of ``error``."""
        room = self._room() if isinstance(error, DiskFull) else None
        with self._turn:
            pause_s = self._pause_s(model)
            self._refused[model] = _Refusal(
                str(error)[:_REASON_CHARACTERS],
                pause_s,
                self._clock() + pause_s,
                self._files_of(model),
                room,
            )

    def try_again(self) -> bool:
        """Forget the refusals that are over; returns whether there were any."""
        with self._turn:
            over = {
                model: refusal
                for model, refusal in self._refused.items()
                if self._is_over(model, refusal)
            }
            self._refused = {m: one for m, one in self._refused.items() if m not in over}
            self._earlier |= over
            return bool(over)

    @property
    def reasons(self) -> dict[str, str]:
        """Model → why it is refused."""
        with self._turn:
            return {model: refusal.reason for model, refusal in self._refused.items()}

    def _pause_s(self, model: str) -> float:
        """Twice the last one, unless that is long over: the model was served since then."""
        last = self._earlier.get(model)
        if last is None or self._clock() > last.until + LONGEST_PAUSE_S:
            return FIRST_PAUSE_S
        return min(2 * last.pause_s, LONGEST_PAUSE_S)

    def _is_over(self, model: str, refusal: _Refusal) -> bool:
        if self._clock() >= refusal.until or self._files_of(model) != refusal.files:
            return True
        now = self._room() if refusal.room else ()
        return any(
            left >= before + _FREED_BYTES
            for left, before in zip(now, refusal.room or (), strict=True)
        )

    def _room(self) -> tuple[int, ...]:
        return tuple(_free(disk) for disk in self._disks)


def _free(folder: Path | None) -> int:
    """Bytes left for a folder; None is that of temporary files, and a full disk may have none."""
    with suppress(OSError):
        return shutil.disk_usage(folder or tempfile.gettempdir()).free
    return 0
