"""What strangers send to a gateway: it is answered or cut off, and others are served meanwhile."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from functools import partial

import pytest
from support.raw_http import PATIENCE_S, answered, connected, head
from support.running_gateway import RunningGateway

from winepress.gateway.body import BodyLimits
from winepress_shared.settings import Settings


@pytest.fixture
def gateway(farm_settings: Settings) -> Iterator[RunningGateway]:
    """A gateway of the test's farm."""
    with RunningGateway(farm_settings) as one:
        yield one


@pytest.fixture
def hasty(farm_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningGateway]:
    """A gateway that waits one second where others wait up to two minutes."""
    for name in ("HEADERS_S", "KEEP_ALIVE_S", "UNREAD_S"):
        monkeypatch.setattr(f"winepress.gateway.protocol.{name}", 1.0)
    monkeypatch.setattr("winepress.gateway.app.BodyLimits", partial(BodyLimits, body_s=1.0))
    with RunningGateway(farm_settings) as one:
        yield one


def is_cut_off(one: socket.socket, drip: bytes) -> bool:
    """Whether the gateway closes although something comes all the time."""
    deadline = time.monotonic() + PATIENCE_S
    one.settimeout(0.2)
    while time.monotonic() < deadline:
        try:
            one.sendall(drip)
            if one.recv(65536) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def test_headers_that_trickle_are_cut_off(hasty: RunningGateway) -> None:
    """The first request of a connection (slow loris), and every later one."""
    with connected(hasty, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n") as slow:
        assert is_cut_off(slow, b"X: 1\r\n")
    with connected(hasty, head("/healthz", method="GET")) as slow:
        assert slow.recv(65536).startswith(b"HTTP/1.1 200")
        assert is_cut_off(slow, b"G")
    assert hasty.http.get("/healthz").status_code == 200


def test_a_body_that_trickles_is_answered_with_408(hasty: RunningGateway) -> None:
    """And what goes on to come after an answer is not waited for."""
    with connected(hasty, head("/v1/jobs", "Content-Length: 1000"), b"{") as slow:
        assert slow.recv(65536).startswith(b"HTTP/1.1 408")
        assert is_cut_off(slow, b" ")
    with connected(hasty, head("/nowhere", "Content-Length: 100000000")) as slow:
        assert slow.recv(65536).startswith(b"HTTP/1.1 404")
        assert is_cut_off(slow, b" ")


def test_a_body_over_the_limit_is_refused_with_and_without_a_length(
    gateway: RunningGateway,
) -> None:
    """413, before all of it has come."""
    size = 65 * 2**20
    assert gateway.http.post("/v1/jobs", content=b"{" + b" " * size).status_code == 413
    answer = answered_early(gateway, "/v1/jobs", "Content-Length: 99999999999999999999")
    assert answer.startswith(b"HTTP/1.1 413")

    def chunks() -> Iterator[bytes]:
        for _ in range(65):
            yield b" " * 2**20

    for path in ("/v1/jobs", "/v1/uploads"):
        assert gateway.http.post(path, content=chunks()).status_code == 413


def answered_early(gateway: RunningGateway, path: str, *headers: str) -> bytes:
    with connected(gateway, head(path, *headers)) as one:
        return one.recv(65536)


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 3", "Transfer-Encoding: chunked"),
        ("Content-Length: 3", "Content-Length: 4"),
        ("Content-Length: +3",),
        ("Content-Length: 0x3",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding : chunked",),
        ("X: a\x00b",),
        ("Host: evil.example",),
    ],
)
def test_a_request_that_two_servers_could_read_in_two_ways_is_refused(
    gateway: RunningGateway, headers: tuple[str, ...]
) -> None:
    """And the connection ends, so nothing behind it is taken for a request (smuggling)."""
    smuggled = head("/v1/jobs", "Content-Length: 19") + b'{"prompt": "a pear"}'
    answer = answered(gateway, head("/v1/jobs", *headers), b"0\r\n\r\n", smuggled)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), answer
    assert answer.count(b"HTTP/1.1") == 1
    assert gateway.http.get("/v1/jobs").json()["jobs"] == []


def test_a_client_that_reads_nothing_is_cut_off(hasty: RunningGateway) -> None:
    """However long the answers are that it asked for."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", int(hasty.url.rpartition(":")[2])))
        assert is_cut_off_while_asking(deaf)


def is_cut_off_while_asking(deaf: socket.socket) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    deaf.settimeout(0.2)
    while time.monotonic() < deadline:
        try:
            deaf.sendall(head("/openapi.json", method="GET") * 10)
        except TimeoutError:
            continue
        except OSError:
            return True
    return False
