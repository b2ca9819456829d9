"""HTTP/1.1 for clients that may mean harm: too slow to end, or meant to be read in two ways."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_S = 20.0  #: for the headers of the first request of a connection to arrive
KEEP_ALIVE_S = 30  #: for those of the next one; idle time counts
UNREAD_S = 60.0  #: for a client to read on in what it was sent


class GuardedProtocol(H11Protocol):
    """Closes connections whose client sends or reads too slowly, and refuses ambiguous requests."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _PlainConnection(h11.SERVER, self.config.h11_max_incomplete_event_size or 2**16)

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._timer = asyncio.get_running_loop().call_later(HEADERS_S, self._give_up)
        option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux
        connected = transport.get_extra_info("socket")
        if option is not None and connected is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, int(UNREAD_S * 1000))

    def on_response_complete(self) -> None:
        """Begin to wait for the next request; what is left of this one counts as waiting too."""
        super().on_response_complete()
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(KEEP_ALIVE_S, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None or self.cycle.response_complete:  # no request has begun since
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the wait."""
        self._timer.cancel()
        super().connection_lost(exc)


class _PlainConnection(h11.Connection):
    """Refuses a request with two lengths, which a proxy may read in the other way.

    h11 lets Transfer-Encoding win. A proxy that goes by Content-Length would take a part of the
    body for the next request (request smuggling).
    """

    def next_event(self) -> Any:
        """The next event; raises RemoteProtocolError."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = {name for name, _ in event.headers}
            if {b"content-length", b"transfer-encoding"} <= names:
                raise h11.RemoteProtocolError("two lengths")
        return event
