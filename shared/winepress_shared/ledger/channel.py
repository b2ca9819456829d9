"""A subscription to a channel of Redis."""

from __future__ import annotations

import time
from typing import Any, cast

import redis

from winepress_shared.ledger.connections import ANSWER_TIMEOUT_S
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.per_process import PerProcess


class Channel:
    """A subscription; raises BrokerUnreachable like every other call.

    redis-py reconnects it if that succeeds at once. Its connection is not from the pool, because it
    is used for the channel's whole life.
    """

    def __init__(self, server: ScriptServer, name: str) -> None:
        self._server = server
        self._name = name
        #: True after a reconnect; the reader resets it.
        self.is_new = False
        self._asked_at: float | None = None  #: when redis-py asked a silent server whether it lives
        self._mine = PerProcess(self._subscribe)
        self._mine.get()

    def _subscribe(self) -> redis.client.PubSub:
        with self._server.reaching():
            found = self._server.new_client().pubsub()  # type: ignore[no-untyped-call]
            found.subscribe(self._name)
        return cast("redis.client.PubSub", found)

    def get_message(self, timeout: float) -> dict[str, Any] | None:
        """The next message, its text in ``data``; None after ``timeout`` seconds without one.

        A link that was cut without a word is noticed too: then the server answers no question.
        """
        mine = self._mine.get()
        with self._server.reaching():
            found = cast("dict[str, Any] | None", mine.get_message(timeout=timeout))
            self._check_answers(mine)
        if found and found["type"] == "subscribe":
            self.is_new, found = True, None
        return found

    def _check_answers(self, mine: redis.client.PubSub) -> None:
        if not mine.health_check_response_counter:
            self._asked_at = None
            return
        now = time.monotonic()
        self._asked_at = self._asked_at or now
        if now - self._asked_at > ANSWER_TIMEOUT_S:
            self.close()
            raise redis.exceptions.TimeoutError

    def close(self) -> None:
        """Close the connection of this process."""
        self._asked_at = None
        mine = self._mine.pop()
        if mine is not None:
            mine.close()
            mine.connection_pool.disconnect()
