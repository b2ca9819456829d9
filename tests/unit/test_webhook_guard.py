"""Nobody reaches the machines beside this one through a webhook."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator

import pytest

from winepress.gateway.webhooks.guard import Unreachable, WebhookGuard
from winepress_shared.errors import InvalidJob, WrongUsage
from winepress_shared.network_address import is_public
from winepress_shared.webhook import read_destination

PUBLIC = ("93.184.215.14", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001::8a")
PRIVATE = (
    *("0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1"),
    *("192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1"),
    *("255.255.255.255", "192.88.99.1"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::"),
    *("2001::1", "2001:0:808:808::", "2001:db8::1", "2001:20::1", "3fff::1", "100::1", "5f00::1"),
    *("fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "4000::1"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    """Of both kinds."""
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", [*PRIVATE, "2606:4700::1%1"])
def test_no_other_address_passes(address: str) -> None:
    """Private, shared, reserved, multicast, and those that stand for another address."""
    assert not is_public(ipaddress.ip_address(address))
    if "%" not in address:
        host = f"[{address}]" if ":" in address else address
        with pytest.raises(InvalidJob, match="not on the public internet"):
            WebhookGuard().check(f"http://{host}/")
        with pytest.raises(InvalidJob, match="not on the public internet"):
            WebhookGuard(lookup=lambda *_: [PUBLIC[0], address]).check("http://example.com/")


def test_a_name_is_looked_up_once_for_each_delivery_and_its_address_is_what_is_used() -> None:
    """A name that means something else at the second question gains nothing: nobody asks twice."""
    answers: Iterator[list[str]] = iter([[PUBLIC[0]], ["127.0.0.1"]])
    guard = WebhookGuard(lookup=lambda *_: next(answers))
    destination = read_destination("http://rebinding.example/")
    assert guard.addresses(destination) == [PUBLIC[0]]
    with pytest.raises(InvalidJob, match="not on the public internet"):
        guard.addresses(destination)


def test_the_system_s_own_names_are_seen_through() -> None:
    """The name of this machine is as little allowed as its address."""
    with pytest.raises(InvalidJob, match="not on the public internet"):
        WebhookGuard().check("http://localhost:8000/")


def test_the_operator_may_allow_hosts_and_networks() -> None:
    """And nothing beside them."""
    allowed = ["127.0.0.1", "10.1.0.0/16", "::1", "Receiver.Example"]
    guard = WebhookGuard(allowed, lookup=lambda host, _: ["192.168.1.1"])
    for host in ("127.0.0.1", "10.1.255.1", "[::1]", "receiver.example"):
        guard.check(f"http://{host}:8000/")
    for host in ("127.0.0.2", "10.2.0.1", "[::2]", "other.example", "x.receiver.example"):
        with pytest.raises(InvalidJob, match="not on the public internet"):
            guard.check(f"http://{host}:8000/")


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.1/8", "http://x", "::zz", "bücher"])
def test_a_wrong_setting_is_refused(text: str) -> None:
    """At the start, and not when a message is due."""
    with pytest.raises(WrongUsage, match="webhook_allow"):
        WebhookGuard([text])


@pytest.mark.parametrize(
    "answer", [socket.gaierror(-3, "try again"), TimeoutError(None, "slow"), []]
)
def test_a_host_that_cannot_be_looked_up_now_is_no_reason_to_refuse_a_job(
    answer: OSError | list[str],
) -> None:
    """The delivery looks again, and says so if it fails."""

    def lookup(host: str, port: int) -> list[str]:
        if isinstance(answer, OSError):
            raise answer
        return answer

    guard = WebhookGuard(lookup=lookup)
    guard.check("http://example.com/")
    with pytest.raises(Unreachable):
        guard.addresses(read_destination("http://example.com/"))
