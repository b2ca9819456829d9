"""The broker's URL, read once for redis-py and Celery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from winepress_shared.broker import make_celery
from winepress_shared.broker_url import BrokerUrl
from winepress_shared.errors import WrongUsage
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.settings import Settings

SECRET = "hunter2-correct-horse"


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


def test_a_password_stands_in_no_message() -> None:
    """In front of the host or behind it; Celery gets it in the one place it looks for it."""
    for url in (f"redis://ada:{SECRET}@h:1/0", f"redis://h:1/0?username=ada&password={SECRET}"):
        assert of(url).shown == "redis://h:1/0"
        assert SECRET not in repr(of(url))
        assert of(url).address == f"redis://ada:{SECRET}@h:1/0"
    assert of("redis://h/0?password=a%2Fb").address == "redis://:a%2Fb@h/0"
