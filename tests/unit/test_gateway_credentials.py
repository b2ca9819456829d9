"""How a request shows a key, and whom the gateway takes for its own machine."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from fastapi import Request
from starlette.datastructures import Headers

from winepress.commands.gateway import with_keys
from winepress.gateway.access import Caller, Scope
from winepress.gateway.api_key import ApiKey, Token
from winepress.gateway.credentials import shown_key
from winepress.gateway.key_store import KeyStore
from winepress.gateway.refusals import Forbidden, Unauthorized
from winepress.gateway.surroundings import check_host, check_origin, is_on_this_machine
from winepress_shared.errors import NotFound, WrongUsage
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_shared.stores.base import Store

TOKEN = Token.new()


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer   {TOKEN} "},
        {"authorization": f"Token {TOKEN}"},
        {"authorization": str(TOKEN)},
        {"authorization": basic(f"{TOKEN}:")},
        {"authorization": basic(f"{TOKEN}:x")},
        {"authorization": basic(f"user:{TOKEN}")},
        {"x-api-key": str(TOKEN)},
        {"x-api-key": str(TOKEN), "authorization": f"Bearer {TOKEN}"},
        {"x-api-key": str(TOKEN), "authorization": ""},
    ],
)
def test_a_key_may_be_shown_in_every_way_that_clients_know(headers: dict[str, str]) -> None:
    """Whichever one a client has a field for."""
    assert shown_key(Headers(headers)) == str(TOKEN)


@pytest.mark.parametrize(
    "authorization",
    ["", " ", "Bearer", "Bearer ", "Bearer undefined", "Basic", "Basic ", "Token null"]
    + [basic(text) for text in ("", ":", "undefined", "undefined:undefined", "null:null")],
)
def test_a_header_without_content_shows_no_key(authorization: str) -> None:
    """Clients that have no key send these; they must not be told that their key is wrong."""
    assert shown_key(Headers({"authorization": authorization})) is None


@pytest.mark.parametrize(
    "text", ["Basic é!", "Basic ====", basic("a:b"), "Bearer \x00", "x" * 9000]
)
def test_what_cannot_be_read_is_a_wrong_key_and_no_fault(text: str) -> None:
    """The caller is told 401, not 500."""
    headers = Headers(raw=[(b"authorization", text.encode("latin-1"))])
    assert Token.parse(shown_key(headers) or "") is None


def test_two_different_keys_are_refused() -> None:
    """Which of them is meant would be a guess."""
    with pytest.raises(Unauthorized) as refused:
        shown_key(Headers({"x-api-key": str(Token.new()), "authorization": f"Bearer {TOKEN}"}))
    assert TOKEN.secret not in refused.value.message


def test_a_token_hides_its_secret() -> None:
    """Only who asks for its text gets it."""
    assert TOKEN.secret not in repr(TOKEN)
    assert Token.parse(str(TOKEN)) == TOKEN
    assert Token.parse(f"{TOKEN}\n") is None


def request(method: str = "GET", client: str = "127.0.0.1", **headers: str) -> Request:
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "client": (client, 5000),
        "headers": [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ],
    }
    return Request(scope)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_loopback_is_this_machine(address: str) -> None:
    """Both families."""
    assert is_on_this_machine(request(client=address))


@pytest.mark.parametrize("address", ["10.0.0.7", "::", "0.0.0.0", "2001:db8::1", "", "localhost."])
def test_everything_else_is_another_machine(address: str) -> None:
    """Also what cannot be read."""
    assert not is_on_this_machine(request(client=address))


@pytest.mark.parametrize(
    "name", ["x_forwarded_for", "forwarded", "x_real_ip", "via", "x_forwarded_host"]
)
def test_what_comes_through_a_proxy_is_not_from_this_machine(name: str) -> None:
    """The proxy is; who calls it may be anybody."""
    assert not is_on_this_machine(request(**{name: "127.0.0.1"}))


@pytest.mark.parametrize("host", ["localhost", "localhost:8188", "127.0.0.1:1", "[::1]:8188"])
def test_the_names_of_this_machine_are_answered(host: str) -> None:
    """With and without a port."""
    check_host(request(host=host))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8188", "127.0.0.1.evil.example", "[", "", "10.0.0.1"]
)
def test_a_name_that_was_made_to_mean_this_machine_is_refused(host: str) -> None:
    """DNS rebinding: the browser sends the name of the page."""
    with pytest.raises(Forbidden):
        check_host(request(host=host))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:3000"},
        {"origin": "null"},
        {"origin": "http://localhost:8188.evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_a_page_from_elsewhere_changes_nothing_without_a_key(headers: dict[str, str]) -> None:
    """However the browser says where it is from; reading is the browser's own business."""
    with pytest.raises(Forbidden):
        check_origin(request("POST", host="localhost:8188", **headers), ("*",))
    check_origin(request("GET", host="localhost:8188", **headers), ())
    with pytest.raises(Forbidden):  # where every page may read the answers
        check_origin(request("GET", host="localhost:8188", **headers), ("*",))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://localhost:8188"},
        {"origin": "http://app.example"},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
    ],
)
def test_programs_and_the_gateways_own_page_do_change_things(headers: dict[str, str]) -> None:
    """And pages that the operator has allowed."""
    check_origin(request("POST", host="localhost:8188", **headers), ("http://app.example",))


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return Settings(store_folder=tmp_path)


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings)


def test_a_gateway_that_others_can_reach_asks_everybody_for_a_key(
    settings: Settings, store: Store
) -> None:
    """Also the caller on its machine; beyond loopback it does not start without a key."""
    notes: list[str] = []
    public = settings.model_copy(update={"public_url": "https://pictures.example"})
    assert not with_keys(settings, "http://127.0.0.1:1", notes.append).require_keys
    assert not with_keys(settings, "http://[::1]:1", notes.append).require_keys
    assert notes == []
    for address in ("http://0.0.0.0:1", "http://[::]:1", "http://10.0.0.1:1"):
        with pytest.raises(WrongUsage, match="winepress keys create"):
            with_keys(settings, address, notes.append)
    assert with_keys(public, "http://127.0.0.1:1", notes.append).require_keys
    assert "winepress keys create" in notes.pop()
    key, _ = KeyStore(store).create("ann")
    assert with_keys(settings, "http://0.0.0.0:1", notes.append).require_keys
    assert with_keys(public, "http://127.0.0.1:1", notes.append).require_keys
    assert notes == []
    KeyStore(store).revoke(key.id)
    with pytest.raises(WrongUsage, match="winepress keys create"):
        with_keys(settings, "http://[::]:1", notes.append)


def test_only_the_hash_of_a_key_is_stored(store: Store) -> None:
    """Who reads the store cannot use the keys."""
    key, token = KeyStore(store).create("ann", rate=5, note="hers")
    data = store.get(f"gateway/keys/{key.id}.json")
    assert token.secret.encode() not in data
    assert KeyStore(store).find(key.id) == key
    assert token.secret not in repr(key)
    assert key.digest not in repr(key)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "000000000000"},
        {"scopes": ["root"]},
        {"scopes": []},
        {"user": "ann@x"},
        {"user": "ann\n"},
        {"user": "ann-"},
        {"rate": -1},
        {"rate": "5"},
        {"expires": float("inf")},
        {"version": 2},
        {"admin": True},
        {"digest": ""},
    ],
)
def test_a_key_that_was_tampered_with_is_no_key(store: Store, change: dict[str, Any]) -> None:
    """What the store says of a key is checked like any input."""
    key, _ = KeyStore(store).create("ann")
    name = f"gateway/keys/{key.id}.json"
    store.put(name, json.dumps(json.loads(store.get(name)) | change).encode())
    assert KeyStore(store).find(key.id) is None
    assert list(KeyStore(store).all()) == []
    with pytest.raises(NotFound):
        KeyStore(store).revoke(key.id)


def test_a_key_ends_when_it_expires() -> None:
    """To the second, and a revoked one at once."""
    key = ApiKey(id=TOKEN.id, digest=TOKEN.digest, user="ann", created=1.0, expires=100.0)
    assert (key.state(99.9), key.state(100.0)) == ("valid", "expired")
    with pytest.raises(Unauthorized, match="expired"):
        key.check(TOKEN)
    with pytest.raises(Unauthorized, match="not valid"):
        key.check(Token(TOKEN.id, "0" * 64))  # a stranger does not learn more
    with pytest.raises(Unauthorized, match="revoked"):
        key.model_copy(update={"revoked": 5.0, "expires": None}).check(TOKEN)


@pytest.mark.parametrize(
    ("owner", "is_own"), [("ann", True), ("ann@bob", True), ("anna", False), ("bob@ann", False)]
)
def test_a_caller_owns_the_jobs_of_its_own_users(owner: str, is_own: bool) -> None:
    """And of nobody whose name only begins alike."""

    class Job:
        user = owner

    assert Caller("ann", frozenset(Scope)).owns(Job()) is is_own
