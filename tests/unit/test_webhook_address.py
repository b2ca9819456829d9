"""Which addresses a webhook may have, as far as their text says."""

from __future__ import annotations

import pytest

from winepress_shared.errors import InvalidJob
from winepress_shared.webhook import (
    MAX_URL_CHARACTERS,
    Destination,
    Webhook,
    WebhookEvent,
    is_out_of_reach,
    read_destination,
)

GOOD = "https://hooks.example.com/renders?token=x"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (GOOD, ("https", "hooks.example.com", 443, "/renders?token=x")),
        ("http://Example.COM.", ("http", "example.com", 80, "/")),
        ("https://example.com:8443?a=%41&b=%2F", ("https", "example.com", 8443, "/?a=%41&b=%2F")),
        ("http://203.0.113.9:1025/a//b", ("http", "203.0.113.9", 1025, "/a//b")),
        ("http://[2606:2800::1]:8080/", ("http", "2606:2800::1", 8080, "/")),
        ("https://xn--bcher-kva.example/", ("https", "xn--bcher-kva.example", 443, "/")),
    ],
)
def test_an_address_is_taken_apart_and_nothing_of_it_changes(
    url: str, parts: tuple[str, str, int, str]
) -> None:
    """A receiver may tell its callers apart by any letter of the path."""
    assert read_destination(url) == Destination(*parts)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "//example.com/hook",
        "http:example.com",
        "http:/example.com",
        "http://",
        "http:///hook",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com:6379/_FLUSHALL",
        "redis://example.com/",
        "unix:/run/docker.sock",
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://example.com@127.0.0.1/",
        "http://example.com\\@127.0.0.1/",
        "http://example.com#@127.0.0.1/",
        "http://exam ple.com/",
        "http://example.com/\r\nX-Injected: 1",
        "http://example.com/a b",
        "http://example.com/\x00",
        "http://example.com/é",
        "http://bücher.example/",
        "http://１２７.0.0.1/",
        "http://example.com%2f@127.0.0.1/",
        "http://127.0.0.1%20/",
        "http://%31%32%37.0.0.1/",
        "http://-example.com/",
        "http://example..com/",
        f"http://{'a' * 64}.com/",
        f"http://{'a.' * 130}com/",
        f"http://example.com/{'a' * MAX_URL_CHARACTERS}",
        "http://[::1/",
        "http://[::1]x/",
        "http://[v1.x]/",
        "http://2606:2800::1/",
        "http://example.com:x/",
        "http://example.com:-1/",
        "http://example.com:0/",
        "http://example.com:65536/",
        *(f"http://example.com:{port}/" for port in (22, 25, 53, 81, 442, 444, 1023, 1024)),
        *(f"http://{host}/" for host in ("2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0")),
        *(f"http://{host}/" for host in ("0x7f.1", "127.0.0.0x1", "127.0.0.01", "1.2.3.4.5")),
        *(f"http://{host}/" for host in ("127.0.0.1.0x", "example.999", "0x", "017700000001")),
    ],
)
def test_an_address_that_two_programs_may_read_differently_is_refused(url: str) -> None:
    """Whatever a resolver would make of it; and the message does not repeat it."""
    with pytest.raises(InvalidJob) as caught:
        Webhook(url)
    assert caught.value.field == "webhook"
    assert caught.value.value is None
    assert len(url) < 12 or url not in caught.value.message


def test_a_webhook_is_told_of_the_end_unless_it_names_events() -> None:
    """Each event once, whatever the order and however often it was named."""
    assert Webhook.of(None) is None
    plain, chosen = Webhook.of(GOOD), Webhook.of(GOOD, ["completed", "start", "start"])
    assert plain is not None
    assert chosen is not None
    assert plain.events == (WebhookEvent.COMPLETED,)
    assert chosen.events == (WebhookEvent.START, WebhookEvent.COMPLETED)
    assert "token" not in repr(plain)


@pytest.mark.parametrize("events", [[], "completed", ["done"], [["start"]], [None], {}, 7, ["", 1]])
def test_an_unknown_event_is_refused(events: object) -> None:
    """With the known ones in the message."""
    with pytest.raises(InvalidJob, match="start, output, logs, completed"):
        Webhook.of(GOOD, events)


@pytest.mark.parametrize("url", [7, [], {}, True, b"http://example.com"])
def test_what_is_no_text_is_no_address(url: object) -> None:
    """JSON has other values."""
    with pytest.raises(InvalidJob, match="not an address"):
        Webhook.of(url)


def test_a_filter_without_a_webhook_is_refused() -> None:
    """Somebody waits for messages there."""
    with pytest.raises(InvalidJob, match="no webhook"):
        Webhook.of(None, ["start"])


@pytest.mark.parametrize(
    ("host", "allowed", "is_out"),
    [
        ("localhost:9000", (), True),
        ("app.localhost", (), True),
        ("127.0.0.1:9000", (), True),
        ("[::1]", (), True),
        ("10.1.2.3", ("192.168.0.0/16",), True),
        ("10.1.2.3", ("10.0.0.0/8",), False),
        ("localhost:9000", ("127.0.0.1",), False),
        ("LocalHost", ("localhost",), False),
        ("8.8.8.8", (), False),
        ("intern", (), False),
    ],
)
def test_a_host_out_of_reach_is_told_by_its_text(
    host: str, allowed: tuple[str, ...], is_out: bool
) -> None:
    """A name that must be looked up is left to the delivery."""
    assert is_out_of_reach(Webhook(f"http://{host}/"), allowed) is is_out
