"""Parses the broker's URL, because redis-py and Celery read its options differently."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import SecretStr

from winepress_shared.errors import WrongUsage

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
class BrokerUrl:
    """An address, and the options of its URL."""

    address: str = field(repr=False)  #: with user, password and database, without options
    shown: str  #: the address for messages, without the password
    tls: Mapping[str, Any]  #: options ``ssl_…``
    options: Mapping[str, Any]

    @classmethod
    def of(cls, url: SecretStr) -> BrokerUrl:
        """Read a URL that `Settings` has accepted; raises WrongUsage that names a bad option."""
        parts = urlsplit(url.get_secret_value())
        known = {**_OPTIONS, **(_TLS if parts.scheme == "rediss" else {})}
        given = parse_qsl(parts.query, keep_blank_values=True)
        options = {name: _read(known, name, text) for name, text in given}
        tls = {name: options.pop(name) for name in _TLS if name in options}
        _check_own_certificate(tls)
        login, _, host = parts.netloc.rpartition("@")
        names = [quote(options.pop(name, ""), safe="") for name in ("username", "password")]
        if any(names):
            login = ":".join(names)
        path = parts.path
        if "db" in options:
            path = f"/{options.pop('db')}"
        shown = f"{parts.scheme}://{host}{path}"
        place = f"{login}@{host}" if login else host
        return cls(f"{parts.scheme}://{place}{path}", shown, tls, options)

    def verification(self, authority: Path | None) -> dict[str, Any]:
        """Options to verify the server's certificate, for both libraries; empty without TLS.

        The certificate is checked against ``authority`` or the system's. Celery's default is no
        check.
        """
        if not self.address.startswith("rediss://"):
            return {}
        given = {"ssl_ca_certs": str(authority)} if authority else {}
        return {**self.tls, **given, "ssl_cert_reqs": "required", "ssl_check_hostname": True}

    @property
    def of_sockets(self) -> dict[str, Any]:
        """The options that Celery's transport shares."""
        return {name: self.options[name] for name in _OF_SOCKETS if name in self.options}


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
