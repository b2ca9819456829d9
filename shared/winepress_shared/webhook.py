"""Webhooks: the address that is told what happens to a job, and of which events."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from winepress_shared.errors import InvalidJob
from winepress_shared.network_address import is_loopback, is_public

QUEUE = "webhooks"  #: of the tickets for deliverers; the name of a lane has a dot, or is ``film``
MAX_URL_CHARACTERS = 2_000
_FIELD = "webhook"
_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")  # RFC 3986, without #
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>([/?].*)?)",
    re.IGNORECASE | re.ASCII,
)
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
_NUMBER = re.compile(
    r"[0-9]+|0x[0-9a-f]*"
)  #: the last part of a host that libc reads as an address
_PORTS = {"http": 80, "https": 443}


class WebhookEvent(StrEnum):
    """What a webhook may be told of."""

    START = "start"  #: the job began to run
    OUTPUT = "output"  #: a picture is finished
    LOGS = "logs"  #: progress, notes and failed attempts
    COMPLETED = "completed"  #: the job ended, in whatever state


class WebhookForm(StrEnum):
    """The form of the messages; each gateway dialect with one of its own has an entry."""

    NATIVE = "native"
    REPLICATE = "replicate"


@dataclass(frozen=True)
class Webhook:
    """Where messages about a job go; raises InvalidJob for an invalid value."""

    url: str = field(repr=False)  #: http or https; its path may be a secret
    events: tuple[WebhookEvent, ...] = (WebhookEvent.COMPLETED,)
    origin: str = ""  #: address of the gateway that took the job; links in messages begin with it
    form: WebhookForm = WebhookForm.NATIVE

    def __post_init__(self) -> None:
        read_destination(self.url)
        if len(self.origin) > MAX_URL_CHARACTERS:
            allowed = f"up to {MAX_URL_CHARACTERS} characters"
            raise _refused("the gateway's own address is too long", allowed)
        if not self.events:
            raise _no_events([])

    @classmethod
    def of(
        cls,
        url: object,
        events: object = None,
        *,
        origin: str = "",
        form: WebhookForm = WebhookForm.NATIVE,
    ) -> Webhook | None:
        """The webhook that a request names; None without a URL. Raises InvalidJob."""
        if url is None:
            if events is not None:
                raise InvalidJob("there is no webhook to filter", field="webhook_events_filter")
            return None
        if not isinstance(url, str):
            raise InvalidJob("not an address", field=_FIELD, value=url, allowed="an http(s) URL")
        if events is None:
            return cls(url, origin=origin, form=form)
        return cls(url, read_events(events), origin, form)


def read_events(given: object) -> tuple[WebhookEvent, ...]:
    """A list of events, each once; raises InvalidJob."""
    known = [event.value for event in WebhookEvent]
    if not isinstance(given, Collection) or isinstance(given, str) or not given:
        raise _no_events(given)
    for one in given:
        if one not in known:
            raise _no_events(one)
    return tuple(event for event in WebhookEvent if event.value in given)


def _no_events(given: object) -> InvalidJob:
    return InvalidJob(
        "not a list of webhook events",
        field="webhook_events_filter",
        value=given,
        allowed=f"some of {', '.join(WebhookEvent)}",
    )


class Destination(NamedTuple):
    """The parts of a webhook's URL."""

    scheme: str  #: http or https
    host: str  #: in lower case; a name, or an address without brackets
    port: int
    target: str  #: path and query

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The host, if it is an address."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


def read_destination(url: str) -> Destination:
    """Take a webhook's URL apart; raises InvalidJob. Looks nothing up.

    Anything that two programs may read differently is refused.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise _refused("too long", f"up to {MAX_URL_CHARACTERS} characters")
    if not _CHARACTERS.fullmatch(url):
        raise _refused(
            "a character that an address cannot have", "ASCII; others as %XX or punycode"
        )
    parts = _URL.fullmatch(url)
    if parts is None:
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise _refused("a user or a password in the address", "none; use the path or the query")
        raise _refused("not an address of the web", "http(s)://HOST[:PORT]/PATH")
    scheme, rest = parts["scheme"].lower(), parts["rest"]
    port = int(parts["port"]) if parts["port"] else _PORTS[scheme]
    if port not in _PORTS.values() and not 1024 < port < 65536:
        raise _refused(f"port {port}", "80, 443, or above 1024")
    host = parts["host"].lower().strip("[]").rstrip(".")
    target = rest if rest.startswith("/") else f"/{rest}"
    found = Destination(scheme, host, port, target)
    if parts["host"].startswith("[") and found.address is None:
        raise _refused("not an IPv6 address", "[2001:db8::7]")
    if found.address is None:
        _check_name(host)
    return found


def _check_name(host: str) -> None:
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise _refused("not the name of a host", "letters, digits, dots and dashes")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise _refused("an address in an unusual form", "203.0.113.7 or [2001:db8::7]")


def read_allowed(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | str:
    """An entry of the setting ``webhook_allow``: a network, or the name of a host in lower case.

    Raises ValueError.
    """
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        name = text.lower().removesuffix(".")
        try:
            _check_name(name)
        except InvalidJob:
            raise ValueError(
                f"{text[:100]!r} is not a host or a network; "
                "allowed: names, addresses, and networks such as 10.0.0.0/8"
            ) from None
        return name


def is_out_of_reach(webhook: Webhook, allowed: Collection[str]) -> bool:
    """Whether its host is not public by its text alone, and ``allowed`` does not list it.

    ``allowed`` is the setting ``webhook_allow``. Looks nothing up.
    """
    destination = read_destination(webhook.url)
    address = destination.address
    if address is None and is_loopback(destination.host):
        address = ipaddress.IPv4Address("127.0.0.1")
    if address is None or is_public(address):
        return False
    return not any(
        entry == destination.host if isinstance(entry, str) else address in entry
        for entry in map(read_allowed, allowed)
    )


def _refused(problem: str, allowed: str) -> InvalidJob:
    # The URL itself is not repeated: its path may be a secret.
    return InvalidJob(problem, field=_FIELD, allowed=allowed)
