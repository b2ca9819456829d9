"""Keys of the gateway over real HTTP: who is let in, and who sees and changes which jobs."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.routing import Route
from support.manual_worker import forget_farm
from support.running_farm import wait_until
from support.running_gateway import RunningGateway

from winepress.gateway.access import Scope
from winepress.gateway.api_key import Token
from winepress.gateway.app import DIALECTS
from winepress.gateway.key_store import KeyStore
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store

Guest = Callable[..., httpx.Client]


@pytest.fixture
def keys(farm_settings: Settings) -> KeyStore:
    """The keys of the test's farm."""
    return KeyStore(open_store(farm_settings))


@pytest.fixture
def gateway(farm_settings: Settings) -> Iterator[RunningGateway]:
    """A gateway that asks everybody for a key."""
    settings = farm_settings.model_copy(update={"require_keys": True})
    with RunningGateway(settings) as one:
        yield one


@pytest.fixture
def guest(gateway: RunningGateway, keys: KeyStore) -> Iterator[Guest]:
    """Makes a client with a key of its own."""
    made: list[httpx.Client] = []

    def make(user: str, **terms: Any) -> httpx.Client:
        _, token = keys.create(user, **terms)
        headers = {"Authorization": f"Bearer {token}"}
        made.append(
            httpx.Client(base_url=gateway.url, headers=headers, trust_env=False, timeout=60)
        )
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_a_new_key_works_at_once_and_a_revoked_one_no_more(
    gateway: RunningGateway, guest: Guest, keys: KeyStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Within ten seconds, as the command says; neither message nor log show the key."""
    caplog.set_level("DEBUG", logger="winepress")
    ann = guest("ann")
    assert ann.get("/v1/jobs").status_code == 200
    (key,) = keys.all()
    keys.revoke(key.id)
    wait_until(lambda: ann.get("/v1/jobs").status_code == 401)
    answer = ann.get("/v1/jobs")
    assert "revoked" in answer.json()["detail"]
    assert ann.headers["Authorization"].rpartition("_")[2] not in answer.text + caplog.text


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_nobody_gets_in_without_a_valid_key(gateway: RunningGateway) -> None:
    """401 in problem+json, with how to show a key; the text that was shown is not repeated."""
    for authorization in (
        *("", "Bearer", "Bearer sk-anything", "Basic Og==", _basic("undefined"), _basic("a:b")),
        *("Bearer wp_000000000000_" + "0" * 64, "Bearer wp_../../../jobs_x", "Digest x"),
        *("Bearer " + "x" * 20_000, "Bearer wp_" + "é" * 12),
    ):
        headers = [(b"Authorization", authorization.encode("latin-1"))]
        for method, path in (("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", "/v1/lanes")):
            answer = gateway.http.request(method, path, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            shown = authorization.rpartition(" ")[2]
            assert len(shown) < 12 or shown not in answer.text


def test_a_wrong_secret_is_told_as_an_unknown_key(gateway: RunningGateway, keys: KeyStore) -> None:
    """Nobody learns which ids exist."""
    key, token = keys.create("ann")
    for wrong in (Token(key.id, "0" * 64), Token("0" * 12, token.secret)):
        answer = gateway.http.get("/v1/jobs", headers={"X-API-Key": str(wrong)})
        assert answer.status_code == 401
        assert answer.json()["detail"].startswith("this key is not valid")


#: Whoever adds a route here says why nobody needs a key for it.
PUBLIC = {
    "/healthz",  # load balancers and Kubernetes have no key
    "/readyz",
    "/",  # the page is the same for everybody, and asks for a key itself
    "/favicon.ico",
    "/page/{name}",
    "/internal/ping",  # what clients of A1111 look for before they know a key
}


def test_every_route_asks_for_a_key(gateway: RunningGateway) -> None:
    """Of every dialect, with every method."""
    routers = (router for dialect in DIALECTS for router in dialect.routers)
    routes = [route for router in routers for route in router.routes if isinstance(route, Route)]
    guarded = [route for route in routes if route.path not in PUBLIC]
    assert len(guarded) > 10
    for route in guarded:
        for method in route.methods or ():
            path = re.sub(r"\{[^}]*\}", "x", route.path)
            assert gateway.http.request(method, path).status_code == 401, (method, path)


def test_probes_need_no_key(gateway: RunningGateway) -> None:
    """Load balancers and Kubernetes have none."""
    assert gateway.http.get("/healthz").status_code == 200
    assert gateway.http.get("/readyz").status_code == 200


def _routes_of(job_id: str) -> list[tuple[str, str]]:
    reads = ("", "/events", "/results", "/outputs/000000.png")
    changes = ("cancel", "pause", "resume", "retry", "front")
    return [("GET", f"/v1/jobs/{job_id}{path}") for path in reads] + [
        ("POST", f"/v1/jobs/{job_id}/{verb}") for verb in changes
    ]


def test_another_key_neither_sees_nor_changes_a_job(guest: Guest) -> None:
    """Every route answers as for a job that never existed, word for word but for its id."""
    ann, bob = guest("ann"), guest("bob")
    job_id = ann.post("/v1/jobs", json={"prompt": "an apple", "user": "eve"}).json()["id"]
    for method, path in _routes_of(job_id):
        answer = bob.request(method, path)
        nowhere = bob.request(method, path.replace(job_id, "j" + "0" * 20))
        assert answer.status_code == 404, path
        assert answer.text.replace(job_id, "j" + "0" * 20) == nowhere.text, path
    assert bob.get("/v1/jobs").json()["jobs"] == []
    assert ann.get(f"/v1/jobs/{job_id}").json()["state"] == "queued"
    assert ann.post(f"/v1/jobs/{job_id}/cancel").status_code == 200


def test_another_key_does_not_learn_that_a_job_has_expired(
    guest: Guest, farm_settings: Settings
) -> None:
    """410 is for those who knew the job."""
    ann, bob = guest("ann"), guest("bob")
    job_id = ann.post("/v1/jobs", json={"prompt": "an apple"}).json()["id"]
    forget_farm(farm_settings)
    assert ann.get(f"/v1/jobs/{job_id}").status_code == 410
    for method, path in _routes_of(job_id):
        assert bob.request(method, path).status_code == 404


def test_two_keys_of_one_user_share_jobs(guest: Guest) -> None:
    """So a key is replaced without a pause: create, put to use, revoke."""
    old, new = guest("ann"), guest("ann")
    job_id = old.post("/v1/jobs", json={"prompt": "an apple"}).json()["id"]
    assert new.get(f"/v1/jobs/{job_id}").status_code == 200
    assert new.post(f"/v1/jobs/{job_id}/cancel").status_code == 200


def test_scopes_hold(guest: Guest) -> None:
    """Each right alone: what it does not give is 403, or as if it were not there."""
    submits = guest("ann", scopes=frozenset({Scope.SUBMIT}))
    reads = guest("ann", scopes=frozenset({Scope.READ_OWN}))
    sees_all = guest("eve", scopes=frozenset({Scope.READ_ALL}))
    operates = guest("op", scopes=frozenset({Scope.READ_ALL, Scope.OPERATE}))
    job_id = submits.post("/v1/jobs", json={"prompt": "an apple"}).json()["id"]
    assert submits.get(f"/v1/jobs/{job_id}").status_code == 404
    assert reads.post("/v1/jobs", json={"prompt": "an apple"}).status_code == 403
    assert reads.post("/v1/uploads", content=b"x").status_code == 403
    for reader in (reads, sees_all):
        assert reader.get(f"/v1/jobs/{job_id}").status_code == 200
        assert reader.post(f"/v1/jobs/{job_id}/cancel").status_code == 403
    assert operates.post(f"/v1/jobs/{job_id}/cancel").status_code == 200


def test_a_page_cannot_drive_a_gateway_without_keys(farm_settings: Settings) -> None:
    """From the browser of somebody on this machine: neither by a form nor by DNS rebinding."""
    with RunningGateway(farm_settings) as gateway:
        job = {"prompt": "an apple"}
        for headers in (
            {"Origin": "https://evil.example", "Content-Type": "text/plain"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Host": "evil.example"},
        ):
            answer = gateway.http.post("/v1/jobs", content=json.dumps(job), headers=headers)
            assert answer.status_code == 403, headers
            assert "access-control-allow-origin" not in answer.headers
        assert gateway.http.get("/v1/jobs", headers={"Host": "evil.example"}).status_code == 403
        assert gateway.http.get("/v1/jobs").json()["jobs"] == []
        forwarded = {"X-Forwarded-For": "127.0.0.1"}
        assert gateway.http.get("/v1/jobs", headers=forwarded).status_code == 401


def test_a_gateway_without_keys_ignores_what_is_not_meant_as_one(
    farm_settings: Settings, keys: KeyStore
) -> None:
    """Clients that must be told some key are told any; a wrong one of ours is wrong here too."""
    key, token = keys.create("ann")
    with RunningGateway(farm_settings) as gateway:

        def status(shown: str) -> int:
            headers = {"Authorization": f"Bearer {shown}"}
            return gateway.http.get("/v1/jobs", headers=headers).status_code

        assert [status(text) for text in ("x", "sk-no-key", "EMPTY", str(token))] == [200] * 4
        wrong = (f"{token}x", str(token)[:-1], "wp_", str(Token(key.id, "0" * 64)))
        assert [status(text) for text in wrong] == [401] * 4


def test_only_allowed_pages_may_call(farm_settings: Settings, keys: KeyStore) -> None:
    """CORS is off by default; `cors_origins` names the pages that may."""
    _, token = keys.create("ann")
    allowed = "https://app.example"
    settings = farm_settings.model_copy(update={"require_keys": True, "cors_origins": (allowed,)})
    with RunningGateway(settings) as gateway:
        asks = {"Access-Control-Request-Method": "POST"}
        asks["Access-Control-Request-Headers"] = "authorization,content-type"
        answer = gateway.http.options("/v1/jobs", headers=asks | {"Origin": allowed})
        assert answer.headers["access-control-allow-origin"] == allowed
        assert "authorization" in answer.headers["access-control-allow-headers"].lower()
        stranger = {"Origin": "https://evil.example"}
        answer = gateway.http.options("/v1/jobs", headers=asks | stranger)
        assert "access-control-allow-origin" not in answer.headers
        answer = gateway.http.get(
            "/v1/jobs", headers={"Origin": allowed, "Authorization": f"Bearer {token}"}
        )
        assert answer.headers["access-control-allow-origin"] == allowed
