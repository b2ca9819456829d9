"""Checks the certificates of broker and store."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from winepress_shared.broker_url import BrokerUrl
from winepress_shared.causes import certificate_fault, trust_hint
from winepress_shared.errors import BrokerUnreachable, StoreUnreachable, WrongUsage
from winepress_shared.settings import Settings

_CONNECT_S = 5.0
_IN_FOLDER = "ca-certificates.crt"  #: the file with all certificates in the system's folder
_BROKER_PORT, _STORE_PORT = 6379, 443  #: defaults if the address names no port


def check_certificates(settings: Settings) -> None:
    """Raise if the certificate of broker or store cannot be trusted.

    Sends only the TLS handshake. A server that is down is not an error here. Raises
    BrokerUnreachable or StoreUnreachable.
    """
    url = BrokerUrl.of(settings.broker_url)
    verification = url.verification(settings.broker_ca)
    authority, folder = (verification.get(name) for name in ("ssl_ca_certs", "ssl_ca_path"))
    whose = "broker's" if url.group is None else "Sentinel's"
    for address in url.addresses if verification else ():
        fault = _fault(address, _BROKER_PORT, _context(authority, folder))
        if fault:
            raise BrokerUnreachable(
                f"the {whose} certificate {fault}", value=url.shown, hint=trust_hint("broker_ca")
            )
    endpoint = settings.s3_endpoint or ""
    if endpoint.startswith("https://") and settings.store_folder is None:
        authority = store_authorities(settings)
        fault = _fault(endpoint, _STORE_PORT, _context(authority)) if authority else None
        if fault:
            raise StoreUnreachable(
                f"the certificate of the S3 store {fault}",
                value=urlsplit(endpoint).hostname,
                hint=trust_hint("s3_ca"),
            )


def store_authorities(settings: Settings) -> str | None:
    """The file of the store's certificate authorities; None is boto3's own list.

    If boto3 finds the keys itself, AWS_CA_BUNDLE can name the file too; raises WrongUsage if it is
    not usable.
    """
    if settings.s3_ca:
        return str(settings.s3_ca)
    bundle = os.environ.get("AWS_CA_BUNDLE") if settings.s3_access_key_id is None else None
    if not bundle:
        paths = ssl.get_default_verify_paths()
        in_folder = Path(paths.capath or "", _IN_FOLDER)
        return paths.cafile or (str(in_folder) if paths.capath and in_folder.is_file() else None)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(bundle)
    except OSError:
        raise WrongUsage(
            "cannot read certificates from this file", field="AWS_CA_BUNDLE", value=bundle
        ) from None
    return bundle


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
