"""What the farm's own SeaweedFS does not get over by itself: errors of its disk.

After three in a row it puts a volume in quarantine. Until it is started again, nothing that lies in
the volume can be read, though it is all there, and jobs whose descriptions lie there stand still.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from winepress_deploy.services.repeated import Repeated

_EVERY_S = 1.0
_REST_S = 30.0  #: between two starts, while the disk goes on failing
_SAID = b" quarantined after "


class QuarantineWatch(Repeated):
    """Has SeaweedFS started again when its log tells of a quarantine, during its ``with`` block."""

    def __init__(
        self, log: Path, restart: Callable[[], None], say: Callable[[str], None] = lambda line: None
    ) -> None:
        """``restart`` ends the server, and returns when it has ended; its keeper starts it."""
        super().__init__("quarantine", _EVERY_S)
        self._log = log
        self._restart = restart
        self._say = say
        self._read = self._size()

    def _turn(self) -> float:
        if not self._is_told():
            return _EVERY_S
        with suppress(OSError):  # where it would be said, nothing can be written
            self._say(
                "the disk of the store failed, and a part of what is on it cannot be read: "
                f"starting the store again; {self._log} says more"
            )
        self._restart()
        return _REST_S

    def _is_told(self) -> bool:
        """Whether the log has told of a quarantine since the last look."""
        with suppress(OSError), self._log.open("rb") as log:
            if self._size() < self._read:  # a new one was begun
                self._read = 0
            log.seek(max(0, self._read + 1 - len(_SAID)))  # half of it may have been read
            found = log.read()
            self._read = log.tell()
            return _SAID in found
        return False

    def _size(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0
