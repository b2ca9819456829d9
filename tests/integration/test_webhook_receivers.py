"""Whatever a receiver does, it costs one delivery a few seconds, and nobody else anything."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support.tls_server import TlsDoor, self_signed
from support.webhook_receiver import Reply, WebhookReceiver

from winepress.gateway.webhooks.post import Answer, post
from winepress_shared.webhook import Destination, read_destination

LOOPBACK = ["127.0.0.1"]
HEADERS = {"webhook-id": "m1"}
VERIFY = ssl.create_default_context()


def send(destination: Destination, timeout_s: float = 20.0) -> Answer:
    return post(destination, LOOPBACK, b"{}", HEADERS, timeout_s, VERIFY)


@contextmanager
def serving(serve: Callable[[socket.socket], object]) -> Iterator[Destination]:
    """A server that does ``serve`` with each connection, and the destination that is there."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.recv(65_536)
                    serve(connection)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield read_destination(f"http://127.0.0.1:{listener.getsockname()[1]}/hook")
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def answering(data: bytes) -> Callable[[socket.socket], object]:
    return lambda connection: connection.sendall(data)


def drip(connection: socket.socket) -> None:
    """A byte now and then, for as long as anybody listens."""
    pause = threading.Event()
    while not pause.wait(0.01):
        connection.sendall(b"x")


def drip_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
    drip(connection)


def drip_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    drip(connection)


def never_answer(connection: socket.socket) -> None:
    connection.recv(1)  # the sender gives up first


@pytest.mark.parametrize("serve", [never_answer, drip, drip_headers, drip_body])
def test_a_receiver_that_takes_its_time_is_given_up(
    serve: Callable[[socket.socket], object],
) -> None:
    """The limit is on the whole request, so dripping bytes gains nothing."""
    with serving(serve) as destination:
        answer = send(destination, 0.5)
    assert answer.status is None
    assert answer.error


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff garbage\r\n\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
    ],
)
def test_an_answer_that_is_no_http_is_a_failure_with_a_reason(data: bytes) -> None:
    """Also one that is closed halfway."""
    with serving(answering(data)) as destination:
        answer = send(destination)
    assert answer.status is None
    assert answer.error


def test_of_a_long_answer_no_more_than_a_beginning_is_read() -> None:
    """A receiver that sends for ever is left with what it has to say."""
    sent = 0

    def pour(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 2**30:
            connection.sendall(b"x" * 65_536)
            sent += 65_536

    with serving(pour) as destination:
        assert send(destination) == Answer(200)
    assert sent < 2**26


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data/", "/elsewhere"])
def test_a_redirect_is_not_followed(target: str) -> None:
    """Not to the address that hands out a cloud's keys, and not to any other."""
    with WebhookReceiver(lambda _: Reply(302, {"Location": target})) as receiver:
        answer = send(read_destination(receiver.url))
    assert answer == Answer(302, "the receiver redirects, which is not followed")
    assert len(receiver.messages) == 1


def test_the_request_goes_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name is in the request, and is not looked up again; a proxy is not asked either."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    monkeypatch.setattr(socket, "getaddrinfo", _no_lookup(socket.getaddrinfo))
    with WebhookReceiver() as receiver:
        url = f"http://rebinding.example:{receiver.port}/a%2Fb?c=%20&d"
        assert send(read_destination(url)) == Answer(204)
    (message,) = receiver.messages
    assert message.path == "/a%2Fb?c=%20&d"
    assert message.headers["host"] == f"rebinding.example:{receiver.port}"
    assert message.headers["webhook-id"] == "m1"
    assert set(message.headers) == {
        *("host", "accept", "accept-encoding", "connection", "content-type", "content-length"),
        *("user-agent", "webhook-id"),
    }


def _no_lookup(real: Callable[..., object]) -> Callable[..., object]:
    def lookup(host: object, *args: object, **options: object) -> object:
        assert host in ("127.0.0.1", b"127.0.0.1"), f"{host!r} was looked up"
        return real(host, *args, **options)

    return lookup


def test_the_next_address_of_a_host_is_tried_when_one_refuses() -> None:
    """A host with two machines is reached while one is down."""
    with WebhookReceiver() as receiver:
        destination = read_destination(f"http://example.com:{receiver.port}/")
        assert post(destination, ["127.0.0.2", *LOOPBACK], b"{}", {}, 20.0, VERIFY) == Answer(204)
    answer = post(destination, ["127.0.0.2", *LOOPBACK], b"{}", {}, 20.0, VERIFY)
    assert answer.status is None
    assert "cannot be reached" in answer.error


def test_a_certificate_must_be_for_the_name_and_trusted(tmp_path: Path) -> None:
    """Whoever answers at an address is not yet the host that was meant."""
    files = self_signed(tmp_path)
    trusting = ssl.create_default_context(cafile=str(files.certificate))
    with TlsDoor(files) as door:
        right = read_destination(f"https://127.0.0.1:{door.port}/")
        wrong = read_destination(f"https://example.com:{door.port}/")
        for destination, verify in ((right, VERIFY), (wrong, trusting)):
            answer = post(destination, LOOPBACK, b"secret", {}, 20.0, verify)
            assert answer.status is None
            assert "certificate verify failed" in answer.error
        assert door.heard == b""
        post(right, LOOPBACK, b"secret", {}, 0.5, trusting)
        assert door.heard.endswith(b"secret")


@pytest.mark.parametrize(
    ("status", "headers", "wanted_s"),
    [
        (503, {"Retry-After": "120"}, 120.0),
        (429, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0.0),
        (503, {"Retry-After": "-1"}, None),
        (503, {"Retry-After": "1" * 4000}, None),
        (500, {"Retry-After": "soon"}, None),
        (404, {}, None),
    ],
)
def test_what_a_receiver_asks_for_is_heard(
    status: int, headers: dict[str, str], wanted_s: float | None
) -> None:
    """Retry-After in both of its forms; nonsense is ignored."""
    with WebhookReceiver(lambda _: Reply(status, headers)) as receiver:
        answer = send(read_destination(receiver.url))
    assert answer == Answer(status, f"the receiver answered {status}", wanted_s)


def test_a_receiver_that_is_gone_ends_the_matter() -> None:
    """410 is a final word."""
    with WebhookReceiver(lambda _: Reply(410)) as receiver:
        assert send(read_destination(receiver.url)).is_final
