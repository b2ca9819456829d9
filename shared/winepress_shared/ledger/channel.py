"""A subscription to a channel of the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from winepress_shared.per_process import PerProcess

if TYPE_CHECKING:
    import redis

    from winepress_shared.ledger.script_server import ScriptServer


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
        self._mine = PerProcess(self._subscribe)
        self._mine.get()

    def _subscribe(self) -> redis.client.PubSub:
        with self._server.reaching():
            found = self._server.new_client().pubsub()  # type: ignore[no-untyped-call]
            found.subscribe(self._name)
        return cast("redis.client.PubSub", found)

    def get_message(self, timeout: float) -> dict[str, Any] | None:
        """The next message, its text in ``data``; None after ``timeout`` seconds without one."""
        mine = self._mine.get()
        with self._server.reaching():
            found = cast("dict[str, Any] | None", mine.get_message(timeout=timeout))
        if found and found["type"] == "subscribe":
            self.is_new, found = True, None
        return found

    def close(self) -> None:
        """Close the connection of this process."""
        mine = self._mine.pop()
        if mine is not None:
            mine.close()
            mine.connection_pool.disconnect()
