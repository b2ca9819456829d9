"""HTTP by hand, for what no client would send."""

from __future__ import annotations

import socket
from contextlib import suppress

from support.running_gateway import RunningGateway

PATIENCE_S = 30.0


def connected(gateway: RunningGateway, *texts: bytes) -> socket.socket:
    port = int(gateway.url.rpartition(":")[2])
    one = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    with suppress(ConnectionError):  # it may be closed before all is sent
        for text in texts:
            one.sendall(text)
    return one


def answered(gateway: RunningGateway, *texts: bytes) -> bytes:
    """All that comes until the gateway closes."""
    answer = b""
    with connected(gateway, *texts) as one, suppress(ConnectionError):
        while part := one.recv(65536):
            answer += part
    return answer


def head(path: str = "/v1/jobs", *headers: str, method: str = "POST") -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", "")
    return "\r\n".join(lines).encode("latin-1")
