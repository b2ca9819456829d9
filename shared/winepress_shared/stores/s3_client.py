"""Opens boto3's client for the S3 server."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config

from winepress_shared.errors import WrongUsage
from winepress_shared.network_address import is_loopback
from winepress_shared.server_certificates import store_authorities
from winepress_shared.settings import Settings

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 60
_ATTEMPTS = 3  #: per request, including the first
#: The same for a question whose answer moves no data: a server that hangs is told of soon.
_PROBE_TIMEOUT_S = 5
_PROBE_ATTEMPTS = 2
_CONNECTIONS = 16  #: kept open to the server

_CONFIG = Config(  # type: ignore[call-arg]  # the stubs lack the last one
    connect_timeout=_CONNECT_TIMEOUT_S,
    read_timeout=_READ_TIMEOUT_S,
    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
    max_pool_connections=_CONNECTIONS,
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    # The signature already covers the body's SHA-256, and older servers refuse the CRC headers.
    # Speed is the same: a put of 1 kB takes 1.8 ms either way, of 1 MB 10 ms.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    # boto3's own name reveals Python, system and machine, and building it takes a tenth of a
    # request's time.
    user_agent="winepress",
    # AWS_ENDPOINT_URL and similar variables are meant for other programs.
    ignore_configured_endpoint_urls=True,
)
#: For a server named in the settings, with which AWS_USE_FIPS_ENDPOINT and the like would fail.
_NAMED = Config(use_fips_endpoint=False, use_dualstack_endpoint=False)
#: Ignores proxies named in the environment: none can reach this machine.
_DIRECT = Config(proxies={})


def open_client(settings: Settings, *, is_public: bool = False, is_probe: bool = False) -> S3Client:
    """A client for ``s3_endpoint``, or for ``s3_public_endpoint``; raises WrongUsage.

    Does not connect. A probe waits for an answer only shortly.
    """
    field = "s3_public_endpoint" if is_public else "s3_endpoint"
    identifier, secret = settings.s3_access_key_id, settings.s3_secret_access_key
    if (identifier is None) != (secret is None):
        raise WrongUsage(
            "s3_access_key_id and s3_secret_access_key must both be set, or neither",
            field="s3_access_key_id" if identifier is None else "s3_secret_access_key",
        )
    endpoint: str | None = getattr(settings, field)
    try:
        session = boto3.session.Session(
            botocore_session=_session(reads_environment=identifier is None)
        )
        client: S3Client = session.client(
            "s3",
            region_name=settings.s3_region,
            endpoint_url=endpoint,
            verify=store_authorities(settings) or True,
            aws_access_key_id=identifier.get_secret_value() if identifier else None,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            config=_config(endpoint, is_probe=is_probe),
        )
    except ValueError:  # botocore's "Invalid endpoint" repeats the whole address
        raise WrongUsage("not a valid server address", field=field) from None
    return client


def _session(*, reads_environment: bool) -> botocore.session.Session:
    """A session that reads boto3's environment variables and files in the home, or none of them.

    It reads none if our settings hold the keys: those files are for other programs, and a missing
    profile would be an error.
    """
    if reads_environment:
        return botocore.session.Session()
    none = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    known = botocore.session.Session.SESSION_VARIABLES
    without_environment = {
        name: (of_file, None, *rest) for name, (of_file, _, *rest) in known.items()
    }
    session = botocore.session.Session(session_vars=without_environment | none)
    session.register_component("data_loader", _descriptions())
    return session


@cache
def _descriptions() -> botocore.loaders.Loader:
    """botocore's description of S3, read once, because each forked process would need 0.1 s."""
    return botocore.loaders.create_loader()


def _config(endpoint: str | None, *, is_probe: bool) -> Config:
    config = _CONFIG.merge(_probing()) if is_probe else _CONFIG
    if endpoint is None:
        return config
    named = config.merge(_NAMED)
    return named.merge(_DIRECT) if is_loopback(urlsplit(endpoint).hostname or "") else named


def _probing() -> Config:
    return Config(
        read_timeout=_PROBE_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": _PROBE_ATTEMPTS},
    )


def shown(endpoint: str | None) -> str:
    """The address for messages, without user name and password."""
    if endpoint is None:
        return "AWS"
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def status_of(error: botocore.exceptions.ClientError) -> int:
    """The status of an error reply; 0 if it has none."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
