"""What hostile requests say: paths, queries, bodies and pictures are refused with a reason."""

from __future__ import annotations

import base64
import json
import secrets
import struct
from collections.abc import Iterator
from zlib import compress, crc32

import pytest
from pydantic import SecretStr
from support.raw_http import answered, head
from support.running_gateway import RunningGateway
from support.servers import ValkeyServer

from winepress_shared.settings import Settings


@pytest.fixture(scope="module")
def gateway(
    valkey_server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """One gateway for all requests, because none of them may leave a trace."""
    settings = Settings(
        farm=f"t{secrets.token_hex(6)}",
        broker_url=SecretStr(valkey_server.url),
        store_folder=tmp_path_factory.mktemp("store"),
    )
    with RunningGateway(settings) as one:
        yield one


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
    """A helpful 404, which never names a route of another API."""
    answer = gateway.http.get("/v1/job")
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-route")
    assert "/v1/jobs" in answer.json()["detail"]
    other = gateway.http.post("/v1/chat/completions", json={})
    assert other.status_code == 404
    assert "predictions" not in other.text


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


@pytest.mark.parametrize(
    ("path", "headers", "said"),
    [
        ("?limit=banana", {}, "limit: not a whole number (got 'banana')"),
        ("?limit=0", {}, "limit: too small (got '0'); allowed: at least 1"),
        ("?state=bogus", {}, "state: no such value (got 'bogus'); allowed: 'queued', 'running'"),
        ("?cursor=x", {}, "cursor: not in the right form (got 'x'); allowed: the `next_cursor`"),
        ("/j0/results?links=x", {}, "links: no such value (got 'x'); allowed: 'gateway' or"),
        ("/j0/events?previews=x", {}, "previews: neither true nor false (got 'x')"),
        ("/j0/events", {"Last-Event-ID": "x"}, "allowed: the id of an event"),
    ],
)
def test_a_wrong_parameter_is_told_in_plain_words(
    gateway: RunningGateway, path: str, headers: dict[str, str], said: str
) -> None:
    """It is no fault of a job; the value and what is allowed are named."""
    answer = gateway.http.get(f"/v1/jobs{path}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-value")
    assert said in answer.json()["detail"]


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
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")
