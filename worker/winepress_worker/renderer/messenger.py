"""What the drawing need not wait for: told to the broker in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from winepress_shared.errors import BrokerUnreachable

log = logging.getLogger(__name__)


class Messenger:
    """Sends messages in one thread, in order; of each kind the newest alone.

    A link that is slow, or a broker that is away, thereby delays nobody: what is told is how
    things stand, and was it not sent yet, the next message says it better.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, Callable[[], None]] = {}  # kind → how it is sent
        self._is_sending = False
        threading.Thread(target=self._run, name="messages", daemon=True).start()

    def send(self, kind: str, act: Callable[[], None]) -> None:
        """Have ``act`` called soon, in the place of one of that ``kind`` that waits."""
        with self._changed:
            self._waiting[kind] = act
            self._changed.notify_all()

    def settle(self) -> None:
        """Return when everything is sent or given up."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._is_sending)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                kind = next(iter(self._waiting))
                act, self._is_sending = self._waiting.pop(kind), True
            try:
                act()
            except BrokerUnreachable:
                log.warning("%s not sent: broker unreachable", kind)
            except Exception:  # the edge of the thread: without it nobody would hear of this
                # worker again.
                log.exception("unexpected error while sending: %s", kind)
            finally:
                with self._changed:
                    self._is_sending = False
                    self._changed.notify_all()
