"""Has the broker confirm, in the background, that its disk has what this worker counted."""

from __future__ import annotations

import logging
import threading

from winepress_shared.errors import BrokerUnreachable
from winepress_shared.ledger.broker_disk import BrokerDisk

log = logging.getLogger(__name__)

_REST_S = 1.0  #: between two questions; each is for all pictures counted since the one before


class Confirmations:
    """Asks from one thread, so that no picture waits for a disk.

    A picture is in the store before it is counted. So one whose count a power cut took is found
    there and not drawn again, and what is not confirmed is only told.
    """

    def __init__(self, disk: BrokerDisk) -> None:
        self._disk = disk
        self._wanted = threading.Event()

    def start(self) -> None:
        """Begin to ask, for as long as the process lives."""
        threading.Thread(target=self._run, name="confirmations", daemon=True).start()

    def want(self) -> None:
        """Something was counted; returns at once."""
        self._wanted.set()

    def _run(self) -> None:
        rest = threading.Event()
        while True:
            self._wanted.wait()
            self._wanted.clear()
            self.ask()
            rest.wait(_REST_S)

    def ask(self) -> bool:
        """Whether the disk has all that was counted until now."""
        try:
            self._disk.confirm()
        except BrokerUnreachable as error:
            log.warning("a power cut might take the counts of the last pictures: %s", error)
        except Exception:  # the edge of the thread
            log.exception("unexpected error over what the broker's disk has")
        else:
            return True
        return False
