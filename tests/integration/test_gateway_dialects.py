"""The same bad request in every dialect: refused with the same code, in the dialect's own form."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections.abc import Iterator
from zlib import crc32

import httpx
import pytest
from PIL import Image
from support.dialects import SPOKEN, Spoken, drawing_dialects, every_dialect
from support.manual_worker import LANE, ManualWorker
from support.raw_http import answered, head
from support.running_farm import wait_until
from support.running_gateway import RunningGateway

from winepress import Client
from winepress.gateway.key_store import KeyStore
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store


@pytest.fixture
def gateway(farm_settings: Settings) -> Iterator[RunningGateway]:
    """A gateway of the test's farm."""
    with RunningGateway(farm_settings) as one:
        yield one


@pytest.fixture
def locked(farm_settings: Settings) -> Iterator[RunningGateway]:
    """The same, with keys."""
    with RunningGateway(farm_settings.model_copy(update={"require_keys": True})) as one:
        yield one


@every_dialect
def test_a_body_that_is_too_large_is_refused_before_it_comes(
    gateway: RunningGateway, spoken: Spoken
) -> None:
    """413, from its announced length alone."""
    lines = ("Content-Type: application/json", "Content-Length: 99999999999", "Connection: close")
    start, _, body = answered(gateway, head(spoken.path, *lines)).partition(b"\r\n\r\n")
    assert start.startswith(b"HTTP/1.1 413"), start
    assert spoken.told(json.loads(body))[0] == "body-too-large"


@drawing_dialects
def test_what_is_no_json_object_is_refused(gateway: RunningGateway, spoken: Spoken) -> None:
    """400, and nothing is queued."""
    headers = {"Content-Type": "application/json"}
    for body in (b"[" * 100_000, b"{", b"null", b"\xff\xfe", b'{"prompt": NaN}'):
        answer = gateway.http.post(spoken.path, content=body, headers=headers)
        assert (answer.status_code, spoken.told(answer.json())[0]) == (400, "bad-request"), body
    assert gateway.http.get("/v1/jobs").json()["jobs"] == []


@drawing_dialects
def test_a_picture_that_would_fill_the_memory_is_refused(
    gateway: RunningGateway, spoken: Spoken
) -> None:
    """For the size that it claims, before it is decoded."""
    Image.new("1", (8, 8)).save(buffer := io.BytesIO(), "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = crc32(data[12:29]).to_bytes(4, "big")
    answer = gateway.http.post(spoken.pictures, json=spoken.with_picture(b64encode(data).decode()))
    code, message = spoken.told(answer.json())
    assert (answer.status_code in (400, 422), code) == (True, "invalid-job")
    assert "large" in message, message


@every_dialect
def test_a_wrong_an_empty_and_a_revoked_key_are_refused(
    locked: RunningGateway, spoken: Spoken
) -> None:
    """401, with what to do about it."""
    keys = KeyStore(open_store(locked.settings))
    key, token = keys.create("ann")
    keys.revoke(key.id)
    for shown in ("", "Bearer", f"Bearer wp_{'0' * 12}_{'0' * 64}", f"Bearer {token}"):
        answer = locked.http.post(spoken.path, json=spoken.body, headers={"Authorization": shown})
        code, message = spoken.told(answer.json())
        assert (answer.status_code, code) in ((401, "unauthorized"), (401, "invalid_api_key"))
        assert str(token) not in message


@every_dialect
def test_a_route_that_is_not_there_is_told_with_help(
    gateway: RunningGateway, spoken: Spoken
) -> None:
    """404 with the nearest route of the same dialect, or where all of them are listed."""
    answer = gateway.http.post(spoken.mistyped, json=spoken.body)
    code, message = spoken.told(answer.json())
    assert (answer.status_code, code) == (404, "no-such-route")
    assert f"Did you mean {spoken.path}" in message or "/openapi.json lists" in message, message


@drawing_dialects
def test_the_job_of_a_client_that_goes_away_goes_on(
    gateway: RunningGateway, manual_worker: ManualWorker, client: Client, spoken: Spoken
) -> None:
    """Its request is given up, and the job is still drawn."""
    manual_worker.live(LANE)
    headers = {"Prefer": "wait=60"}
    with pytest.raises(httpx.ReadTimeout):
        gateway.http.post(spoken.path, json=spoken.body, headers=headers, timeout=0.5)
    wait_until(lambda: len(client.list()) == 1 and gateway.requests == 0)
    manual_worker.await_ticket(LANE)
    manual_worker.work(LANE)
    assert client.list()[0].state == "succeeded"


def test_another_keys_prediction_is_not_there(locked: RunningGateway) -> None:
    """Neither to look at nor to cancel, and not in a list; nobody learns that it exists."""
    keys = KeyStore(open_store(locked.settings))
    ann, bob = ({"Authorization": f"Token {keys.create(user)[1]}"} for user in ("ann", "bob"))
    spoken = SPOKEN["replicate"]
    made = locked.http.post(spoken.path, json=spoken.body, headers=ann).json()["id"]
    unknown = locked.http.get(f"{spoken.path}/j{'0' * 20}", headers=bob)
    for method, path in (("GET", made), ("POST", f"{made}/cancel")):
        answer = locked.http.request(method, f"{spoken.path}/{path}", headers=bob)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert answer.json().keys() == unknown.json().keys()
    assert locked.http.get(spoken.path, headers=bob).json()["results"] == []
    assert len(locked.http.get(spoken.path, headers=ann).json()["results"]) == 1
