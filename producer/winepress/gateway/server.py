"""The HTTP server of the gateway: uvicorn, with limits on what a client may ask of it."""

from __future__ import annotations

import socket

import uvicorn

from winepress.gateway.app import make_app
from winepress.gateway.protocol import KEEP_ALIVE_S, GuardedProtocol
from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings

_MOST_HEADER_BYTES = 64 * 2**10  #: A1111's clients send no large headers; Krita's cookies are 8 KiB
_MOST_CONNECTIONS = 4_000  #: at a time
_MOST_WAITING = 1_024  #: connections that are not accepted yet
_GRACE_S = 20  #: for the requests in hand when the server is told to stop


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
        http=GuardedProtocol,
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the address of a caller decides whether it needs a key
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
    )
    return uvicorn.Server(config)
