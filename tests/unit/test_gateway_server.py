"""The address of the gateway."""

from __future__ import annotations

import socket

import pytest

from winepress.gateway.server import address_of, listen
from winepress_shared.errors import WrongUsage


def test_an_answer_is_sent_at_once() -> None:
    """No connection gathers small pieces while it waits for the client to acknowledge the first."""
    with listen("127.0.0.1", 0) as listener:
        with socket.create_connection(listener.getsockname()):
            connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_that_is_taken_is_named() -> None:
    """With what to do about it."""
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert address_of(listener) == f"http://127.0.0.1:{port}"
        with pytest.raises(WrongUsage, match=f"127.0.0.1:{port}.*--port"):
            listen("127.0.0.1", port)
