"""Parses the broker's URL, because redis-py and Celery read its options differently.

A server is ``redis://HOST:PORT/DB``; a group whose primary is to be asked for is
``redis+sentinel://SENTINEL:PORT,SENTINEL:PORT/NAME/DB``. Either may begin with ``rediss``, for TLS.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote

from pydantic import SecretStr

from winepress_shared.errors import WrongUsage
from winepress_shared.network_address import split_url

_SERVERS, _GROUPS = ("redis", "rediss"), ("redis+sentinel", "rediss+sentinel")
_SENTINEL_PORT = 26379  #: unless the URL names another
_MOST_SENTINELS = 9
_MOST_PORT = 65_535
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
_GROUP = re.compile(r"/([A-Za-z0-9._-]{1,100})(?:/([0-9]{0,5}))?")  #: the name, and a database
_DATABASE = re.compile(r"/?[0-9]*")
LEAST_ANSWER_S = 6.0  #: a blocking command may take nearly that long
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 8 and least <= int(text) <= most):
            raise ValueError(f"{least} to {most}")
        return int(text)

    return read


def _seconds(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not least <= seconds <= most:
            raise ValueError(f"{least:g} to {most:g} seconds")
        return seconds

    return read


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError("true or false")
    return _BOOLEANS[text.lower()]


def _required(text: str) -> str:
    if text != "required":
        raise ValueError("required; otherwise the password could go to another server")
    return text


def _checked(text: str) -> bool:
    if not _boolean(text):
        raise ValueError("true; otherwise the password could go to another server")
    return True


#: The allowed options after the question mark. Others of redis-py would change the form of its
#: answers, or send a command twice.
_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "db": _whole(0, 99_999),
    "health_check_interval": _whole(0, 3600),
    "max_connections": _whole(1, 10_000),
    "password": str,
    "protocol": _whole(2, 3),
    "socket_connect_timeout": _seconds(0.1, 600),
    "socket_keepalive": _boolean,
    "socket_timeout": _seconds(LEAST_ANSWER_S, 600),
    "username": str,
}
#: The same for ``rediss://``. Options that disable verification of the server are refused.
_TLS: Mapping[str, Callable[[str], Any]] = {
    "ssl_ca_certs": str,
    "ssl_ca_path": str,
    "ssl_cert_reqs": _required,
    "ssl_certfile": str,
    "ssl_check_hostname": _checked,
    "ssl_keyfile": str,
}
#: Options that Celery's transport shares, under the same names.
_OF_SOCKETS = (
    "health_check_interval",
    "socket_connect_timeout",
    "socket_keepalive",
    "socket_timeout",
)


@dataclass(frozen=True)
class SentinelGroup:
    """Sentinels, and the name by which they know the servers they watch."""

    name: str
    sentinels: tuple[tuple[str, int], ...]  #: host and port of each


@dataclass(frozen=True)
class BrokerUrl:
    """An address, and the options of its URL."""

    #: With user, password and database, without options; of a group, for each of its Sentinels.
    addresses: tuple[str, ...] = field(repr=False)
    shown: str  #: the address for messages, without the password
    tls: Mapping[str, Any]  #: options ``ssl_…``
    options: Mapping[str, Any]
    group: SentinelGroup | None = None

    @classmethod
    def of(cls, url: SecretStr) -> BrokerUrl:
        """Read a URL that `Settings` has accepted; raises WrongUsage that names a bad option."""
        try:
            parts = split_broker_url(url.get_secret_value())
            group, path = _group_of(parts)
        except ValueError as error:
            raise WrongUsage(f"not a valid broker URL: {error}", field="broker_url") from None
        known = {**_OPTIONS, **(_TLS if parts.scheme.startswith("rediss") else {})}
        given = parse_qsl(parts.query, keep_blank_values=True)
        options = {name: _read(known, name, text) for name, text in given}
        tls = {name: options.pop(name) for name in _TLS if name in options}
        _check_own_certificate(tls)
        login, _, place = parts.netloc.rpartition("@")
        names = [quote(options.pop(name, ""), safe="") for name in ("username", "password")]
        if any(names):
            login = ":".join(names)
        login += "@" if login else ""
        if "db" in options:
            path = f"/{options.pop('db')}"
        shown = f"{parts.scheme}://{place}{f'/{group.name}' if group else ''}{path}"
        if group is None:
            return cls((f"{parts.scheme}://{login}{place}{path}",), shown, tls, options)
        # The form that Celery and Flower read.
        addresses = tuple(
            f"sentinel://{login}{host}:{port}{path}" for host, port in group.sentinels
        )
        return cls(addresses, shown, tls, options, group)

    @property
    def address(self) -> str:
        """That of the server, or of the first Sentinel."""
        return self.addresses[0]

    def verification(self, authority: Path | None) -> dict[str, Any]:
        """Options to verify the server's certificate, for both libraries; empty without TLS.

        The certificate is checked against ``authority`` or the system's. Celery's default is no
        check.
        """
        if not self.shown.startswith("rediss"):
            return {}
        given = {"ssl_ca_certs": str(authority)} if authority else {}
        return {**self.tls, **given, "ssl_cert_reqs": "required", "ssl_check_hostname": True}

    @property
    def of_sockets(self) -> dict[str, Any]:
        """The options that Celery's transport shares."""
        return {name: self.options[name] for name in _OF_SOCKETS if name in self.options}


def check_broker_url(text: str) -> None:
    """Raise ValueError, whose message repeats no part of the URL, unless it is one of a broker."""
    if not text.startswith(tuple(f"{scheme}://" for scheme in (*_SERVERS, *_GROUPS))):
        raise ValueError(
            "must begin with redis:// or rediss://, or with redis+sentinel:// or "
            "rediss+sentinel:// and a list of Sentinels"
        )
    parts = split_broker_url(text)
    _, path = _group_of(parts)
    # redis-py would use database 0 for a path that is not a number.
    if not _DATABASE.fullmatch(path):
        raise ValueError("must end with the number of a database, such as /0")


def split_broker_url(text: str) -> SplitResult:
    """The parts of a URL; raises ValueError, whose message repeats no part of it."""
    scheme, _, rest = text.partition("://")
    if scheme not in _GROUPS:
        return split_url(text)
    # `urlsplit` takes a list of hosts for one host, with a port that is not a number.
    place, _, query = rest.partition("?")
    hosts, slash, path = place.partition("/")
    return SplitResult(scheme, hosts, slash + path, query, "")


def _group_of(parts: SplitResult) -> tuple[SentinelGroup | None, str]:
    """The Sentinels, if the URL names any, and the path without the group's name."""
    if parts.scheme not in _GROUPS:
        return None, parts.path
    found = [_HOST.fullmatch(one) for one in parts.netloc.rpartition("@")[2].split(",")]
    sentinels = [(one[1], int(one[2] or _SENTINEL_PORT)) for one in found if one]
    ports = [port for _, port in sentinels if 0 < port <= _MOST_PORT]
    if not len(found) == len(ports) <= _MOST_SENTINELS:
        raise ValueError(
            f"must name 1 to {_MOST_SENTINELS} Sentinels before the first /, such as "
            "redis+sentinel://HOST:26379,HOST:26379/NAME/0; special characters of a password must "
            "be percent-encoded"
        )
    path = _GROUP.fullmatch(parts.path)
    if path is None:
        raise ValueError(
            "must name the group as its Sentinels do, of letters, digits and ._-, and may name a "
            "database after it, such as /mymaster/0"
        )
    return SentinelGroup(path[1], tuple(sentinels)), f"/{path[2] or 0}"


def _read(known: Mapping[str, Callable[[str], Any]], name: str, text: str) -> Any:
    if name not in known:
        raise WrongUsage(
            "the URL has an option that is not supported",
            field="broker_url",
            value=name[:40],
            allowed=", ".join(known),
        )
    try:
        return known[name](text)
    except ValueError as error:  # its text is the allowed values
        raise WrongUsage(
            f"invalid value of {name} in the URL", field="broker_url", allowed=str(error)
        ) from None


def _check_own_certificate(tls: Mapping[str, Any]) -> None:
    """Raise WrongUsage unless what this program is to show to the broker can be used."""
    certificate, key = tls.get("ssl_certfile"), tls.get("ssl_keyfile")
    if certificate is None and key is None:
        return
    import ssl  # few farms need it

    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(certificate or "", key, password=lambda: "")
    except OSError as error:
        why = error.strerror if not isinstance(error, ssl.SSLError) else "they do not fit together"
        raise WrongUsage(
            f"the certificate to show to the broker cannot be used: {why}",
            field="ssl_certfile, ssl_keyfile in broker_url",
            value=f"{certificate}, {key}",
            allowed="PEM files of a certificate and of its key, without a password",
        ) from None
