"""Whether broker and store are who they say, found out before a worker begins to wait for them."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from winepress_shared.broker_url import BrokerUrl
from winepress_shared.causes import certificate_fault, trust_hint
from winepress_shared.errors import BrokerUnreachable, StoreUnreachable
from winepress_shared.settings import Settings

_CONNECT_S = 5.0
_BROKER_PORT, _STORE_PORT = 6379, 443  #: where the address names none


def check_certificates(settings: Settings) -> None:
    """Return unless broker or store shows a certificate that is not to be trusted.

    Nothing but the greeting of TLS is sent. A server that is down is none of this: it may come.
    Raises BrokerUnreachable or StoreUnreachable.
    """
    url = BrokerUrl.of(settings.broker_url)
    verification = url.verification(settings.broker_ca)
    if verification:
        authority, folder = (verification.get(name) for name in ("ssl_ca_certs", "ssl_ca_path"))
        fault = _fault(url.address, _BROKER_PORT, _context(authority, folder))
        if fault:
            raise BrokerUnreachable(
                f"the broker's certificate {fault}", value=url.shown, hint=trust_hint("broker_ca")
            )
    endpoint = settings.s3_endpoint or ""
    if endpoint.startswith("https://") and settings.store_folder is None:
        fault = _fault(endpoint, _STORE_PORT, _context(settings.s3_ca))
        if fault:
            raise StoreUnreachable(
                f"the certificate of the S3 store {fault}",
                value=urlsplit(endpoint).hostname,
                hint=trust_hint("s3_ca"),
            )


def _context(authority: str | Path | None, folder: str | None = None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority, capath=folder)


def _fault(address: str, port: int, context: ssl.SSLContext) -> str | None:
    parts = urlsplit(address)
    host = parts.hostname or "127.0.0.1"
    try:
        with (
            socket.create_connection((host, parts.port or port), _CONNECT_S) as raw,
            context.wrap_socket(raw, server_hostname=host),
        ):
            return None
    except OSError as error:
        return certificate_fault(error)
