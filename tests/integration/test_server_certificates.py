"""Broker and store prove who they are before anything secret is sent."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr
from support.command_line import WINEPRESS
from support.servers import S3Server, ValkeyServer, free_ports, scrubbed_environment
from support.tls_server import Authority, ServerFiles, TlsDoor, self_signed

from winepress_shared.broker import make_celery, send_tickets
from winepress_shared.errors import BrokerUnreachable, StoreUnreachable, WrongUsage
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.server_certificates import check_certificates
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store

_SECRET = "correct-horse"
#: What is wrong with a certificate → how it is made, and what a person reads.
_BAD: dict[str, tuple[dict[str, Any], str]] = {
    "untrusted": ({}, "certificate is not trusted: self"),
    "expired": ({"days": -2}, "certificate has expired"),
    "other name": ({"address": "127.0.0.9"}, "certificate is for another host name"),
}


def _bad(kind: str, folder: Path) -> tuple[ServerFiles, Path | None, str]:
    """The server's files, what the client is told to trust, and the sentence."""
    values, sentence = _BAD[kind]
    files = self_signed(folder, **values)
    return files, None if kind == "untrusted" else files.certificate, sentence


def _broker_settings(door: TlsDoor, authority: Path | None) -> Settings:
    url = SecretStr(f"rediss://:{_SECRET}@127.0.0.1:{door.port}/0")
    return Settings(farm="tls", broker_url=url, broker_ca=authority)


def _store_settings(door: TlsDoor, authority: Path | None, **values: Any) -> Settings:
    own = {"s3_access_key_id": "key", "s3_secret_access_key": _SECRET} | values
    return Settings(s3_endpoint=f"https://127.0.0.1:{door.port}", s3_ca=authority, **own)


_WAYS: dict[str, Callable[[Settings], Any]] = {
    "a command": lambda settings: Ledger(settings).ping(),
    "a channel": lambda settings: Ledger(settings).directives("w/1"),
    "a ticket": lambda settings: send_tickets(make_celery(settings), "vignette.fp16"),
}


@pytest.mark.parametrize(
    ("kind", "way"),
    [*((kind, "a command") for kind in _BAD), *(("untrusted", way) for way in _WAYS)],
)
def test_an_impostor_of_the_broker_hears_no_password(kind: str, way: str, tmp_path: Path) -> None:
    """By every way to the broker, Celery's included, and what is wrong is named."""
    files, authority, sentence = _bad(kind, tmp_path)
    with TlsDoor(files) as door:
        with pytest.raises(BrokerUnreachable, match=sentence):
            _WAYS[way](_broker_settings(door, authority))
        assert door.heard == b""


@pytest.mark.parametrize("kind", _BAD)
def test_an_impostor_of_the_store_hears_nothing(kind: str, tmp_path: Path) -> None:
    """No key, no picture; and what is wrong is named."""
    files, authority, sentence = _bad(kind, tmp_path)
    with TlsDoor(files) as door:
        with pytest.raises(StoreUnreachable, match="certificate of the S3 store") as caught:
            open_store(_store_settings(door, authority)).put("a", b"b")
        assert sentence.partition(" ")[2] in str(caught.value)
        assert door.heard == b""


def test_a_worker_looks_at_both_before_it_begins(tmp_path: Path) -> None:
    """Who is trusted or merely away is no reason to end; who is not is named, broker or store."""
    files = self_signed(tmp_path)
    (tmp_path / "other").mkdir()
    stranger = self_signed(tmp_path / "other").certificate
    (closed,) = free_ports(1)
    away = SecretStr(f"rediss://127.0.0.1:{closed}/0")
    with TlsDoor(files) as door:
        trusted: dict[str, Any] = dict.fromkeys(("broker_ca", "s3_ca"), files.certificate)
        endpoint = f"https://127.0.0.1:{door.port}"
        url = SecretStr(f"rediss://127.0.0.1:{door.port}/0")
        check_certificates(Settings(broker_url=url, s3_endpoint=endpoint, **trusted))
        check_certificates(Settings(broker_url=away))
        with pytest.raises(BrokerUnreachable, match="the broker's certificate is not trusted"):
            check_certificates(Settings(broker_url=url))
        with pytest.raises(StoreUnreachable, match="of the S3 store is not trusted"):
            check_certificates(Settings(broker_url=away, s3_endpoint=endpoint, s3_ca=stranger))
        assert door.heard == b""


def test_a_broker_is_believed_for_its_authority(
    valkey_server: ValkeyServer, tmp_path: Path
) -> None:
    """`broker_ca` names it; redis-py and Celery both get through."""
    files = self_signed(tmp_path)
    with TlsDoor(files, valkey_server.port) as door:
        url = SecretStr(f"rediss://127.0.0.1:{door.port}/0")
        settings = Settings(farm="tls", broker_url=url, broker_ca=files.certificate)
        ledger = Ledger(settings)
        app = make_celery(settings)
        try:
            ledger.ping()
            send_tickets(app, "vignette.fp16")
            assert ledger.missing_tickets("vignette.fp16", 2) == 0
        finally:
            app.close()
            app.pool.force_close_all()
            ledger.close()


def _url(port: int, authority: Authority, own: ServerFiles | None) -> SecretStr:
    files = {"ssl_ca_certs": authority.certificate}
    shown = {"ssl_certfile": own.certificate, "ssl_keyfile": own.key} if own else {}
    return SecretStr(f"rediss://127.0.0.1:{port}/0?{urlencode(files | shown)}")


@pytest.mark.parametrize("kind", ["none", "a stranger's"])
def test_a_broker_that_asks_for_another_certificate_says_so(kind: str, tmp_path: Path) -> None:
    """As far as it can be told: such a server may end the connection before it says why."""
    (tmp_path / "other").mkdir()
    authority, other = Authority(tmp_path), Authority(tmp_path / "other")
    server, own = authority.sign("server"), None if kind == "none" else other.sign("client")
    with (
        TlsDoor(server, clients=authority.certificate) as door,
        pytest.raises(BrokerUnreachable, match=r"certificate|closed|Broken pipe") as caught,
    ):
        Ledger(Settings(farm="tls", broker_url=_url(door.port, authority, own))).ping()
    assert "does not support TLS" not in str(caught.value)


def test_a_certificate_that_cannot_be_shown_is_named_at_once(tmp_path: Path) -> None:
    """Missing, or with the key of another one; and no password of a key is asked for."""
    authority = Authority(tmp_path)
    one, other = authority.sign("one"), authority.sign("other")
    bad = {
        "No such file": ServerFiles(tmp_path / "none.pem", one.key),
        "do not fit together": ServerFiles(one.certificate, other.key),
    }
    for why, own in bad.items():
        with pytest.raises(WrongUsage, match=why):
            Ledger(Settings(farm="tls", broker_url=_url(1, authority, own)))


def test_a_store_is_believed_for_its_authority(s3_server: S3Server, tmp_path: Path) -> None:
    """`s3_ca` names it, whatever bundles the environment names for other programs."""
    files = self_signed(tmp_path)
    port = int(s3_server.endpoint.rpartition(":")[2])
    with TlsDoor(files, port) as door, pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            patch.setenv(name, "/nowhere/bundle.pem")
        settings = _store_settings(
            door,
            files.certificate,
            s3_access_key_id=s3_server.access_key_id,
            s3_secret_access_key=s3_server.secret_access_key,
        )
        store = open_store(settings)
        store.put("tls/a", b"b")
        assert store.get("tls/a") == b"b"


@pytest.mark.parametrize("words", [("worker", "--engine", "fake"), ("list",), ("doctor",)])
def test_every_command_names_an_untrusted_broker_and_ends(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    """A worker too, which waits for a broker that is merely away."""
    with TlsDoor(self_signed(tmp_path)) as door:
        url = f"rediss://:{_SECRET}@127.0.0.1:{door.port}/0"
        done = subprocess.run(
            (WINEPRESS, *words),
            env=scrubbed_environment()
            | {"WINEPRESS_BROKER_URL": url, "WINEPRESS_STORE_FOLDER": str(tmp_path / "store")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 3
        assert "certificate is not trusted: self" in done.stdout + done.stderr
        assert _SECRET not in done.stdout + done.stderr
        assert door.heard == b""


@pytest.mark.parametrize("option", ["ssl_cert_reqs=none", "ssl_check_hostname=false"])
def test_a_broker_that_proves_nothing_is_not_to_be_asked_for(option: str) -> None:
    """A URL that switches the proof off is refused, with what it would do."""
    url = SecretStr(f"rediss://127.0.0.1:6379/0?{option}")
    with pytest.raises(WrongUsage, match="the password could go to another server"):
        Ledger(Settings(broker_url=url))


@pytest.mark.parametrize("field", ["broker_ca", "s3_ca"])
def test_a_file_without_certificates_is_named(field: str, tmp_path: Path) -> None:
    """Missing, or of another kind: said at once, not at the first connection."""
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate\n")
    with pytest.raises(WrongUsage, match=f"{field}.*contains no certificates"):
        Settings.load({}, None, **{field: empty})
    with pytest.raises(WrongUsage, match=f"{field}.*No such file"):
        Settings.load({}, None, **{field: tmp_path / "none.pem"})
