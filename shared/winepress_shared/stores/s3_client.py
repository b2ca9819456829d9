"""How the S3 server is reached: the settings of boto3's client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 60
_ATTEMPTS = 3  #: of one request, the first included
_CONNECTIONS = 16  #: kept open to the server

_CONFIG = Config(
    connect_timeout=_CONNECT_TIMEOUT_S,
    read_timeout=_READ_TIMEOUT_S,
    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
    max_pool_connections=_CONNECTIONS,
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    # The signature covers the body's SHA-256 already, and older servers refuse the CRC headers.
    # It is no faster without them: a put of 1 kB takes 1.8 ms either way, of 1 MB 10 ms.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


def open_client(settings: Settings, *, is_public: bool = False) -> S3Client:
    """A client for ``s3_endpoint``, or for ``s3_public_endpoint``; raises WrongUsage.

    Reaches nothing.
    """
    field = "s3_public_endpoint" if is_public else "s3_endpoint"
    identifier, secret = settings.s3_access_key_id, settings.s3_secret_access_key
    if (identifier is None) != (secret is None):
        raise WrongUsage(
            "s3_access_key_id and s3_secret_access_key go together: set both or neither",
            field="s3_access_key_id" if identifier is None else "s3_secret_access_key",
        )
    try:
        client: S3Client = boto3.session.Session().client(
            "s3",
            region_name=settings.s3_region,
            endpoint_url=getattr(settings, field),
            aws_access_key_id=identifier.get_secret_value() if identifier else None,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            config=_CONFIG,
        )
    except ValueError:  # botocore's "Invalid endpoint", which repeats the whole address
        raise WrongUsage("not the address of a server", field=field) from None
    return client
