"""Sends to the broker, in the background, what no picture has to wait for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from winepress_shared.errors import BrokerUnreachable

log = logging.getLogger(__name__)


class Messenger:
    """Sends messages from one thread, in order; of each kind only the newest.

    So a slow link or an unreachable broker delays no picture. Each message describes the present
    state: one that was not sent yet is replaced by the next of its kind.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, Callable[[], None]] = {}  # kind → how it is sent
        self._is_sending = False

    def start(self) -> None:
        """Begin to send, for as long as the process lives."""
        threading.Thread(target=self._run, name="messages", daemon=True).start()

    def send(self, kind: str, act: Callable[[], None]) -> None:
        """Have ``act`` called soon; it replaces a waiting one of the same ``kind``."""
        with self._changed:
            self._waiting[kind] = act
            self._changed.notify_all()

    def settle(self) -> None:
        """Return when everything is sent or given up."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._is_sending)

    def _run(self) -> None:
        while True:
            kind = "a message"
            try:
                with self._changed:
                    self._changed.wait_for(lambda: bool(self._waiting))
                    kind = next(iter(self._waiting))
                    act, self._is_sending = self._waiting.pop(kind), True
                act()
            except BrokerUnreachable:
                log.warning("%s not sent: broker unreachable", kind)
            except Exception:  # the edge of the thread: if it ended, this worker would send
                # nothing more, and `settle` would never return.
                log.exception("unexpected error while sending: %s", kind)
            finally:
                with self._changed:
                    self._is_sending = False
                    self._changed.notify_all()
