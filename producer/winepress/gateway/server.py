"""The HTTP server of the gateway: uvicorn, with a limit on how slowly a request may arrive."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from winepress.gateway.app import make_app
from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings

_HEADERS_S = 20.0  #: for the headers of a request to arrive
_KEEP_ALIVE_S = 30  #: for the next request of a connection
_MOST_HEADER_BYTES = 64 * 2**10  #: A1111's clients send no large headers; Krita's cookies are 8 KiB
_MOST_CONNECTIONS = 4_000  #: at a time
_MOST_WAITING = 1_024  #: connections that are not accepted yet
_GRACE_S = 20  #: for the requests in hand when the server is told to stop


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose headers arrive too slowly."""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._headers_timer = asyncio.get_running_loop().call_later(_HEADERS_S, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None:  # no request has begun
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the wait."""
        self._headers_timer.cancel()
        super().connection_lost(exc)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on this address; port 0 is a free one. Raises WrongUsage."""
    try:
        return socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=_MOST_WAITING,
        )
    except (OSError, UnicodeError) as error:
        raise WrongUsage(
            f"cannot listen here: {getattr(error, 'strerror', None) or error}",
            value=f"{host}:{port}",
            hint="Choose another address with --host and --port",
        ) from None


def address_of(listener: socket.socket) -> str:
    """The address of the gateway that listens there."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def make_server(settings: Settings) -> uvicorn.Server:
    """The server of one farm's gateway; its ``run`` takes the sockets, and blocks."""
    config = uvicorn.Config(
        make_app(settings),
        http=PatientProtocol,
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the address of a caller decides whether it needs a key
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
    )
    return uvicorn.Server(config)
