"""Who may sign for broker and store, and whether they are who they say."""

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
_IN_FOLDER = "ca-certificates.crt"  #: all of them in one file, where the system has a folder
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
        authority = store_authorities(settings)
        fault = _fault(endpoint, _STORE_PORT, _context(authority)) if authority else None
        if fault:
            raise StoreUnreachable(
                f"the certificate of the S3 store {fault}",
                value=urlsplit(endpoint).hostname,
                hint=trust_hint("s3_ca"),
            )


def store_authorities(settings: Settings) -> str | None:
    """The file of those that may sign for the store; None is the list that comes with boto3.

    Where boto3's own chain finds the keys, AWS_CA_BUNDLE names it too; raises WrongUsage when
    that file is none.
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
            "no certificates can be read from it", field="AWS_CA_BUNDLE", value=bundle
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
