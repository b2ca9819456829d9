"""What strangers send to a gateway: it is answered or cut off, and others are served meanwhile."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from zlib import compress, crc32

import pytest
from pydantic import SecretStr
from support.running_gateway import RunningGateway
from support.servers import ValkeyServer

from winepress.gateway.body import BodyLimits
from winepress_shared.settings import Settings

_PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def gateway(
    valkey_server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """One gateway for all attacks, because none of them may leave a trace."""
    settings = Settings(
        farm=f"t{secrets.token_hex(6)}",
        broker_url=SecretStr(valkey_server.url),
        store_folder=tmp_path_factory.mktemp("store"),
    )
    with RunningGateway(settings) as one:
        yield one


@pytest.fixture
def hasty(farm_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningGateway]:
    """A gateway that waits one second where others wait up to two minutes."""
    for name in ("HEADERS_S", "KEEP_ALIVE_S", "UNREAD_S"):
        monkeypatch.setattr(f"winepress.gateway.protocol.{name}", 1.0)
    monkeypatch.setattr("winepress.gateway.app.BodyLimits", partial(BodyLimits, body_s=1.0))
    with RunningGateway(farm_settings) as one:
        yield one


def connected(gateway: RunningGateway, *texts: bytes) -> socket.socket:
    port = int(gateway.url.rpartition(":")[2])
    one = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
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


def is_cut_off(one: socket.socket, drip: bytes) -> bool:
    """Whether the gateway closes although something comes all the time."""
    deadline = time.monotonic() + _PATIENCE_S
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


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/..%2f..%2fgateway%2flink-secret",
        "/v1/jobs/%2e%2e/events",
        "/v1/jobs/%00",
        "/v1/jobs/j%0d%0aX-Evil:%201",
        "/v1/jobs/" + "j" * 5000,
        "/v1/jobs/%ff%fe",
        "/v1/jobs/../../etc/passwd",
        "/v1/jobs/*/results",
        "//evil.example/v1/jobs",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/v1/jobs/j0/outputs/..%2fjob.json",
        "/v1/jobs/j0/outputs/..%5cjob.json?signature=x&until=9",
        "/v1/jobs/j0/outputs/a?until=" + "9" * 12 + "&signature=%00",
    ],
)
def test_paths_lead_nowhere_but_to_routes(
    gateway: RunningGateway, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not found, or not valid; never a fault, a file, or a header."""
    answer = answered(gateway, head(path, "Connection: close", method="GET"))
    status = answer.split(b" ", 2)[1]
    assert status in (b"403", b"404", b"422"), answer
    headers, _, body = answer.partition(b"\r\n\r\n")
    assert b"x-evil" not in headers.lower()
    assert "unexpected" not in caplog.text
    assert json.loads(body)["code"] in ("not-found", "no-such-route", "forbidden", "invalid-value")


def test_a_mistyped_route_is_told_the_nearest_one(gateway: RunningGateway) -> None:
    """A helpful 404."""
    answer = gateway.http.get("/v1/job")
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-route")
    assert "/v1/jobs" in answer.json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        "cursor=" + "9" * 400,
        "cursor=-1",
        "limit=0",
        "limit=99999999999999999999",
        "limit=NaN",
        "state=nothing",
        "user=" + "u" * 5000,
        "limit=1&limit=x",
        "state=%00",
    ],
)
def test_a_query_is_checked(gateway: RunningGateway, query: str) -> None:
    """Each part has a form and a limit."""
    assert gateway.http.get(f"/v1/jobs?{query}").status_code == 422


def test_an_endless_address_is_refused(gateway: RunningGateway) -> None:
    """Before it fills the memory."""
    answer = answered(gateway, b"GET /v1/jobs?" + b"a" * 2_000_000)
    assert answer.startswith(b"HTTP/1.1 400") or not answer  # the rest of it may have cut that off


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 200_000, 400),
        (b'{"a":' * 50_000, 400),
        (b'{"prompt": "a", "prompt": "b"}', 400),
        (b'{"prompt": NaN}', 400),
        (b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}", 400),
        (b"\xff\xfe", 400),
        (b"null", 400),
        (b'{"prompt": "a\\u0000b"}', 422),
        (b'{"prompt": "a\\ud800b"}', 422),
        (b'{"prompt": {"a": {}}}', 422),
        (b'{"prompt": "a", "user": ["x"]}', 400),
        (b'{"prompt": "a", "expires_in": "soon"}', 422),
        (b'{"prompt": "a", "expires_in": 1e400}', 422),
        (b'{"prompt": "a", "start_in": {}}', 422),
        (b'{"prompt": "a", "window": [1]}', 422),
        (b'{"prompt": "a", "image": "/etc/passwd"}', 422),
        (b'{"prompt": "a", "image": "http://127.0.0.1/"}', 422),
        (b'{"prompt": "a", "image": "file:///etc/passwd"}', 422),
        (b'{"prompt": "a", "image": "sha256:../../x"}', 422),
        (b'{"prompt": "a", "__class__": "x"}', 422),
    ],
)
def test_a_hostile_body_is_refused_with_a_reason(
    gateway: RunningGateway, body: bytes, status: int
) -> None:
    """Whatever it is said to be; nothing is queued."""
    for kind in ("application/json", "text/plain", "multipart/form-data"):
        answer = gateway.http.post("/v1/jobs", content=body, headers={"Content-Type": kind})
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert len(answer.json()["detail"]) < 1000
    assert gateway.http.get("/v1/jobs").json()["jobs"] == []


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be enormous."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc32(name + data))

    size = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size)
        + chunk(b"IDAT", compress(b"\0" * 2**20))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "data", [bomb(60_000, 60_000), bomb(2**31 - 1, 1), b"GIF89a" + b"\xff" * 50, b"<svg/>", b""]
)
def test_what_is_no_picture_is_refused(gateway: RunningGateway, data: bytes) -> None:
    """As an upload and inside of a job, before it takes memory."""
    upload = gateway.http.post("/v1/uploads", content=data)
    image = base64.b64encode(data).decode()
    job = {"kind": "image-to-image", "prompt": "a", "image": f"data:image/png;base64,{image}"}
    for answer in (upload, gateway.http.post("/v1/jobs", json=job)):
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-job"), answer.text


@pytest.mark.parametrize("key", ["a b", "x" * 300, "é", "\t"])
def test_an_idempotency_key_is_plain_text(gateway: RunningGateway, key: str) -> None:
    """It becomes a part of a key in the broker."""
    headers = [(b"Idempotency-Key", b"a" + key.encode("latin-1") + b"z")]
    answer = gateway.http.post("/v1/jobs", json={"prompt": "a"}, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "idempotency_key")


def test_a_client_that_reads_nothing_is_cut_off(hasty: RunningGateway) -> None:
    """However long the answers are that it asked for."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", int(hasty.url.rpartition(":")[2])))
        assert is_cut_off_while_asking(deaf)


def is_cut_off_while_asking(deaf: socket.socket) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    deaf.settimeout(0.2)
    while time.monotonic() < deadline:
        try:
            deaf.sendall(head("/openapi.json", method="GET") * 10)
        except TimeoutError:
            continue
        except OSError:
            return True
    return False
