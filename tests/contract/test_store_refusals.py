"""How a store that cannot be used says so, and what it never gives away."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore.httpsession import URLLib3Session

from winepress_shared.errors import AccessRefused, StoreRefused, StoreUnreachable, WrongUsage
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store, s3_client
from winepress_shared.stores.base import Store

if TYPE_CHECKING:
    from support.servers import S3Server


def _opened(**values: Any) -> Store:
    """An S3 store with a secret that must never show."""
    secret = {"s3_access_key_id": "id", "s3_secret_access_key": "wrong-and-secret"}
    return open_store(Settings(**(secret | values)))


def _every_call(store: Store) -> Iterator[StoreUnreachable]:
    """What each method that reaches the server raises."""
    for call in (
        store.check,
        lambda: store.put("key", b"x"),
        lambda: store.put_new("key", b"x"),
        lambda: store.get("key"),
        lambda: store.head("key"),
        lambda: list(store.list("key")),
        lambda: store.delete("key"),
    ):
        with pytest.raises(StoreUnreachable) as caught:
            call()
        yield caught.value


def _chain(error: BaseException) -> str:
    text = ""
    link: BaseException | None = error
    while link is not None:
        text += f"{link!r} {link} {vars(link)} "
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return text


@pytest.mark.parametrize(
    "wrong",
    [
        {"s3_secret_access_key": "wrong-and-secret"},
        {"s3_access_key_id": "nobody", "s3_secret_access_key": "wrong-and-secret"},
        {"s3_bucket": "no-such-bucket"},
    ],
    ids=["secret", "identifier", "bucket"],
)
def test_a_refusal_names_bucket_and_endpoint_but_no_secret(
    s3_server: S3Server, wrong: dict[str, str], attempts: list[str]
) -> None:
    """At every call and at the first try; only what is wrong here is told from what is gone."""
    settings = s3_server.settings(**wrong)
    store = open_store(settings)
    for error in _every_call(store):
        assert type(error) is (StoreRefused if "s3_bucket" in wrong else AccessRefused)
        assert settings.s3_bucket in error.message
        assert s3_server.endpoint in error.message
        text = _chain(error) + repr(store) + repr(settings)
        assert "wrong-and-secret" not in text
        assert s3_server.secret_access_key not in text
    assert set(attempts) == {"attempt=1"}


def test_a_dead_endpoint_is_unreachable_and_says_how_to_start_a_farm(
    free_port: int, attempts: list[str]
) -> None:
    """Each call gives up after a few tries, naming the address but not the password in it."""
    store = _opened(s3_endpoint=f"http://user:password@127.0.0.1:{free_port}")
    for error in _every_call(store):
        assert type(error) is StoreUnreachable
        assert f"http://127.0.0.1:{free_port}" in error.message
        assert "winepress up" in error.message
        assert "password" not in _chain(error) + repr(store)
        assert "wrong-and-secret" not in _chain(error) + repr(store)
    assert set(attempts) == {"attempt=1", "attempt=2", "attempt=3"}


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What every request of the S3 client says of itself: how often it was sent before."""
    attempts: list[str] = []
    plain = URLLib3Session.send

    def send(session: URLLib3Session, request: Any) -> object:
        attempts.append(request.headers["amz-sdk-request"].decode().partition(";")[0])
        return plain(session, request)

    monkeypatch.setattr(URLLib3Session, "send", send)
    return attempts


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_missing_credentials_are_refused() -> None:
    """Without keys in the settings and none in the client's chain, the reason is named."""
    store = open_store(Settings(s3_endpoint="http://127.0.0.1:9"))
    with pytest.raises(StoreRefused, match="needs credentials"):
        store.check()


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("s3_secret_access_key", {"s3_secret_access_key": None}),
        ("s3_access_key_id", {"s3_access_key_id": None}),
        ("s3_endpoint", {"s3_endpoint": "http://"}),
    ],
)
def test_settings_that_cannot_work_are_wrong_usage(field: str, values: dict[str, Any]) -> None:
    """The field that must be set or corrected is named."""
    with pytest.raises(WrongUsage) as caught:
        _opened(**values)
    assert caught.value.field == field
    assert "wrong-and-secret" not in _chain(caught.value)


def test_a_link_is_worth_nothing_for_another_key(s3_server: S3Server) -> None:
    """A signed link opens its own object only, and an unsigned request none."""
    store = open_store(s3_server.settings())
    store.put("link/mine", b"x")
    store.put("link/other", b"x")
    signed = store.url("link/mine")
    for link in (signed.replace("mine", "other"), signed.partition("?")[0]):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(link, timeout=10)
        assert caught.value.code == 403
        caught.value.close()
    assert s3_server.secret_access_key not in signed
    assert urlsplit(signed).netloc in s3_server.endpoint


def test_links_are_signed_for_the_address_of_those_outside(s3_server: S3Server) -> None:
    """Everything else goes the inner way; the signature holds for that host alone."""
    outside = s3_server.endpoint.replace("127.0.0.1", "localhost")
    store = open_store(s3_server.settings(s3_public_endpoint=outside))
    store.put("link/outside", b"x")
    signed = store.url("link/outside")
    assert signed.startswith(f"{outside}/{s3_server.bucket}/")
    assert "/link/outside?" in signed
    with urllib.request.urlopen(signed, timeout=10) as reply:
        assert reply.read() == b"x"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(signed.replace(outside, s3_server.endpoint), timeout=10)
    assert caught.value.code == 403
    caught.value.close()


def test_a_public_address_is_not_reached_and_keeps_its_path() -> None:
    """It may be known outside only, behind a proxy that serves the store below a path."""
    login = {"s3_access_key_id": "a", "s3_secret_access_key": "b"}
    store = _opened(s3_public_endpoint="https://pictures.example:8443/store", **login)
    parts = urlsplit(store.url("jobs/j1/out/000000.png"))
    assert (parts.scheme, parts.netloc) == ("https", "pictures.example:8443")
    assert parts.path.startswith("/store/winepress/")
    assert parts.path.endswith("/jobs/j1/out/000000.png")
    assert "X-Amz-Signature=" in parts.query


def test_a_reply_cut_short_is_no_object() -> None:
    """A body shorter than announced raises StoreUnreachable instead of giving half a picture."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer_half, args=(server,))
        thread.start()
        store = _opened(s3_endpoint=f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(StoreUnreachable):
            store.get("key")
        thread.join()


def _answer_half(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A file in the way is named as what it is: a store that cannot be used."""
    (tmp_path / "file").write_bytes(b"")
    for error in _every_call(open_store(Settings(store_folder=tmp_path / "file"))):
        assert str(tmp_path / "file") in error.message


def test_a_link_planted_in_the_folder_is_not_listed(tmp_path: Path) -> None:
    """Files of others, hidden files and symbolic links are no objects."""
    store = open_store(Settings(store_folder=tmp_path / "store"))
    store.put("jobs/one", b"x", metadata={"fence": "1"})
    (tmp_path / "store" / "winepress" / "jobs" / "two").symlink_to("/etc/hostname")
    (tmp_path / "store" / "winepress" / "jobs" / "grün").write_bytes(b"x")
    assert [item.key for item in store.list("")] == ["jobs/one"]


def test_a_server_that_takes_connections_and_never_answers_is_told_of_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a check, which moves no data, long before a transfer would give up."""
    monkeypatch.setattr(s3_client, "_PROBE_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        store = _opened(s3_endpoint=f"http://127.0.0.1:{mute.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(StoreUnreachable):
            store.check()
    assert time.monotonic() - began < s3_client._READ_TIMEOUT_S
