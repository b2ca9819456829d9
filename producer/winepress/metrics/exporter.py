"""Serves metrics over HTTP, where no gateway does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6

from winepress.metrics.exposition import exposition
from winepress.metrics.samples import Samples
from winepress_shared.errors import WrongUsage

PATH = "/metrics"
_CLIENT_S = 10.0  #: a client that sends or reads nothing for so long is cut off


class Exporter(ThreadingHTTPServer):
    """An HTTP server with one page; `serve_forever` blocks."""

    daemon_threads = True

    def __init__(self, host: str, port: int, read: Callable[[], Samples]) -> None:
        """Listen; port 0 is a free one. Raises WrongUsage if that is not possible."""
        self.address_family = AF_INET6 if ":" in host else AF_INET
        self._read = read
        self._reading = threading.Lock()
        try:
            super().__init__((host, port), _Page)
        except (OSError, UnicodeError) as error:
            raise WrongUsage(
                f"cannot listen here: {getattr(error, 'strerror', None) or error}",
                value=f"{host}:{port}",
                hint="Choose another address with --host and --port",
            ) from None

    @property
    def url(self) -> str:
        """The address of the page."""
        host, port = self.server_address[:2]
        return f"http://{f'[{host!s}]' if ':' in str(host) else host!s}:{port}{PATH}"

    def page(self, accept: str) -> tuple[bytes, str]:
        """The text and its media type; one request at a time asks the farm."""
        with self._reading:
            return exposition(self._read(), accept)


class _Page(BaseHTTPRequestHandler):
    server: Exporter
    timeout = _CLIENT_S

    def do_GET(self) -> None:
        """Answer with the metrics."""
        if self.path.partition("?")[0] != PATH:
            self.send_error(HTTPStatus.NOT_FOUND, f"the metrics are at {PATH}")
            return
        text, media_type = self.server.page(self.headers.get("Accept", ""))
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log no request: one comes every few seconds."""
