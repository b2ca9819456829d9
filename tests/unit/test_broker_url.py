"""The broker's URL, read once for redis-py and Celery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from winepress_shared.broker import make_celery
from winepress_shared.broker_url import BrokerUrl, SentinelGroup
from winepress_shared.errors import WrongUsage
from winepress_shared.gate import GatedSentinelTransport, put_gate_before
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.sentinels import options_of
from winepress_shared.settings import Settings

SECRET = "hunter2-correct-horse"
SENTINELS_OF_THREE_KINDS = (("a.b", 26379), ("[::1]", 5), ("10.0.0.1", 26379))


def of(url: str) -> BrokerUrl:
    return BrokerUrl.of(SecretStr(url))


def settings(url: str) -> Settings:
    return Settings(broker_url=SecretStr(url))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_connections=200", 200),
        ("socket_timeout=7.5", 7.5),
        ("socket_connect_timeout=1", 1.0),
        ("socket_keepalive=No", False),
        ("health_check_interval=0", 0),
        ("protocol=3", 3),
        ("db=2", 2),
        ("username=ada", "ada"),
    ],
)
def test_an_option_is_read_by_both_libraries(option: str, value: Any) -> None:
    """Neither stumbles over what the other understands."""
    url = f"redis://h:1/0?{option}"
    name = option.partition("=")[0]
    pool = Ledger(settings(url))._server.client.connection_pool
    assert {**pool.connection_kwargs, "max_connections": pool.max_connections}[name] == value
    app = make_celery(settings(url))
    with app.connection_for_write() as connection:
        assert connection.hostname == "h"
        assert (connection.virtual_host == "2") is (name == "db")
        assert (connection.userid == "ada") is (name == "username")
        if name.startswith("socket") or name == "health_check_interval":
            assert connection.transport_options[name] == value


@pytest.mark.parametrize(
    "option",
    [
        "max_connections=0",
        "max_connections=many",
        "max_connections=-1",
        "max_connections=99999999999999999999",
        "max_connections=",
        "socket_timeout=2",
        "socket_timeout=nan",
        "socket_keepalive=perhaps",
        "protocol=4",
        "decode_responses=False",
        "retry_on_timeout=True",
        "ssl_cert_reqs=none",
        "no_such_option=1",
    ],
)
def test_an_option_that_cannot_hold_is_refused_by_its_name(option: str) -> None:
    """As a sentence that says what is allowed, whoever reads the URL first."""
    for reader in (Ledger, make_celery):
        with pytest.raises(WrongUsage, match="broker_url") as caught:
            reader(settings(f"redis://:{SECRET}@h:1/0?{option}"))
        assert option.partition("=")[0] in str(caught.value)
        assert "allowed: " in str(caught.value)
        assert SECRET not in str(caught.value)


def test_both_libraries_verify_a_server_alike() -> None:
    """Whatever the URL says beside it, and neither where it names no encryption."""
    found = of("rediss://h:1/0?max_connections=3&ssl_ca_certs=/etc/ca.pem")
    assert (found.address, found.options) == ("rediss://h:1/0", {"max_connections": 3})
    assert found.verification(None) == {
        "ssl_ca_certs": "/etc/ca.pem",
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": True,
    }
    assert found.verification(Path("/own.pem"))["ssl_ca_certs"] == "/own.pem"
    assert of("redis://h:1/0").verification(Path("/own.pem")) == {}
    with make_celery(settings("rediss://h:1/0")).connection_for_write() as connection:
        assert connection.ssl == {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    for option in ("ssl_cert_reqs=none", "ssl_cert_reqs=optional", "ssl_check_hostname=No"):
        with pytest.raises(WrongUsage, match=option.partition("=")[0]):
            of(f"rediss://h:1/0?{option}")


@pytest.mark.parametrize(
    ("url", "sentinels", "name", "database"),
    [
        (
            "redis+sentinel://a:1,b:2,c:3/pictures/4",
            (("a", 1), ("b", 2), ("c", 3)),
            "pictures",
            "4",
        ),
        ("redis+sentinel://a/my.farm_1-x", (("a", 26379),), "my.farm_1-x", "0"),
        ("redis+sentinel://a,b:5/x/?db=7", (("a", 26379), ("b", 5)), "x", "7"),
        ("rediss+sentinel://a.b,[::1]:5,10.0.0.1/x/0", SENTINELS_OF_THREE_KINDS, "x", "0"),
    ],
)
def test_a_url_may_name_sentinels(url: str, sentinels: Any, name: str, database: str) -> None:
    """In the form of other programs: their addresses, the name of the group, a database."""
    found = of(url)
    assert found.group == SentinelGroup(name, sentinels)
    pool = Ledger(settings(url))._server.client.connection_pool
    assert pool.connection_kwargs["db"] == int(database)
    with make_celery(settings(url)).connection_for_write() as connection:
        assert connection.virtual_host == database
        assert connection.transport_options["sentinels"] == sentinels
        assert bool(connection.ssl) is url.startswith("rediss")


def test_login_and_options_of_sentinels_url_are_for_the_servers(tmp_path: Path) -> None:
    """The Sentinels have a password of their own, and one encryption is for both."""
    own = Settings(
        broker_url=SecretStr(f"rediss+sentinel://ada:{SECRET}%40@a,b/x/0?max_connections=3"),
        sentinel_user="watcher",
        sentinel_password=SecretStr("their own"),
    )
    url = BrokerUrl.of(own.broker_url)
    assert (url.shown, url.options) == ("rediss+sentinel://a,b/x/0", {"max_connections": 3})
    assert SECRET not in repr(url)
    pool = Ledger(own)._server.client.connection_pool
    login = {"username": "ada", "password": f"{SECRET}@", "ssl_cert_reqs": "required"}
    assert login.items() <= pool.connection_kwargs.items()
    asked = options_of(own, url)
    assert (asked["username"], asked["password"]) == ("watcher", "their own")
    assert asked["ssl"]
    assert asked["ssl_check_hostname"]
    app = make_celery(own)
    assert app.conf.broker_transport_options["sentinel_kwargs"] == asked
    assert "their own" not in repr(own)
    assert "their own" not in app.conf.humanize()


def test_after_a_failure_the_same_gate_is_before_the_sentinels() -> None:
    """Celery goes on to the next address of a broker, and kombu to the transport it names."""
    app = make_celery(settings("redis+sentinel://a,b/x"))
    put_gate_before(app)
    connection = app.connection_for_read()
    connection.maybe_switch_next()
    assert isinstance(connection.transport, GatedSentinelTransport)
    assert connection.transport_options["sentinels"] == (("a", 26379), ("b", 26379))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis+sentinel:///x", "1 to 9 Sentinels"),
        ("redis+sentinel://a,/x", "1 to 9 Sentinels"),
        ("redis+sentinel://a:0/x", "1 to 9 Sentinels"),
        ("redis+sentinel://a:65536/x", "1 to 9 Sentinels"),
        ("redis+sentinel://a b/x", "1 to 9 Sentinels"),
        ("redis+sentinel://a;sentinel://b/x", "1 to 9 Sentinels"),
        (f"redis+sentinel://{','.join('a' * 10)}/x", "1 to 9 Sentinels"),
        (f"redis+sentinel://{'a' * 254}/x", "1 to 9 Sentinels"),
        ("redis+sentinel://a", "as its Sentinels do"),
        ("redis+sentinel://a/", "as its Sentinels do"),
        ("redis+sentinel://a/x y", "as its Sentinels do"),
        ("redis+sentinel://a/x/y", "as its Sentinels do"),
        ("redis+sentinel://a/x/123456", "as its Sentinels do"),
        (f"redis+sentinel://:{SECRET}/p@a/x", "percent-encoded"),
        (f"redis+sentinel://:{SECRET}?p@a/x", "percent-encoded"),
        ("sentinel://a:26379/0", "redis+sentinel://"),
    ],
)
def test_a_url_of_sentinels_that_cannot_hold_is_refused(url: str, said: str) -> None:
    """With what is allowed, and without a part of it, for that may be of a password."""
    with pytest.raises(WrongUsage, match="broker_url") as caught:
        Settings.load({"WINEPRESS_BROKER_URL": url})
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_password_stands_in_no_message() -> None:
    """In front of the host or behind it; Celery gets it in the one place it looks for it."""
    for url in (f"redis://ada:{SECRET}@h:1/0", f"redis://h:1/0?username=ada&password={SECRET}"):
        assert of(url).shown == "redis://h:1/0"
        assert SECRET not in repr(of(url))
        assert of(url).address == f"redis://ada:{SECRET}@h:1/0"
    assert of("redis://h/0?password=a%2Fb").address == "redis://:a%2Fb@h/0"
