"""A bucket of any S3-compatible server; the only home of boto3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import botocore.exceptions
from botocore.config import Config

from winepress_shared.errors import ObjectMissing, StoreRefused, StoreUnreachable, WrongUsage
from winepress_shared.settings import Settings
from winepress_shared.stores.base import (
    MAX_GET_BYTES,
    Moved,
    StoredObject,
    check_expiry,
    check_key,
    check_metadata,
    check_prefix,
    check_size,
    is_key,
    unwatched,
)
from winepress_shared.stores.s3_multipart import PART_BYTES, MultipartUpload

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import PutObjectRequestTypeDef

_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 60
_ATTEMPTS = 3  #: of one request, the first included
_CONNECTIONS = 16  #: kept open to the server
_BLOCK_BYTES = 2**20  #: read from the server at a time
_CONFLICT_ATTEMPTS = 5  #: of a conditional write that met another one in flight

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

_BUCKET_CODES = frozenset({"NoSuchBucket", "InvalidBucketName", "PermanentRedirect"})
_CREDENTIAL_CODES = frozenset(
    {
        "AccessDenied",
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)
_NO_CREDENTIALS = (
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.CredentialRetrievalError,
    botocore.exceptions.ProfileNotFound,
)


class S3Store:
    """Objects of one bucket; one client, shared by all threads."""

    def __init__(self, settings: Settings) -> None:
        """Prepare the client without reaching the server; raises WrongUsage or StoreRefused."""
        self._bucket = settings.s3_bucket
        self._endpoint = _shown(settings.s3_endpoint)
        with self._errors():
            self._client = _client(settings)

    def __repr__(self) -> str:
        return f"S3Store(bucket={self._bucket!r}, endpoint={self._endpoint!r})"

    def check(self) -> None:
        """Return when the bucket can be used; raise otherwise."""
        with self._errors():
            self._client.head_bucket(Bucket=self._bucket)

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write an object, replacing any older one under the same key."""
        request = self._put_request(key, data, content_type, metadata)
        with self._errors():
            self._client.put_object(**request)

    def put_new(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> bool:
        """Write an object only if the key is free; False when it was taken already."""
        request = self._put_request(key, data, content_type, metadata)
        request["IfNoneMatch"] = "*"
        for _ in range(_CONFLICT_ATTEMPTS):
            with self._errors():
                try:
                    self._client.put_object(**request)
                    return True
                except botocore.exceptions.ClientError as error:
                    status = _status(error)
                    if status == 412:
                        return False
                    if status != 409:  # another write of this key in flight: it may yet fail
                        raise
        return False

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        only_new: bool = False,
        moved: Moved = unwatched,
    ) -> bool:
        """Write a file in pieces, however large; see `Store.put_file`."""
        if path.stat().st_size <= PART_BYTES:
            data, put = path.read_bytes(), self.put_new if only_new else self.put
            is_written = put(key, data, content_type=content_type, metadata=metadata)
            moved(len(data))
            return is_written is not False
        upload = MultipartUpload(self._client, self._bucket, check_key(key), path, moved)
        with self._errors():
            try:
                upload.send(content_type, check_metadata(metadata), only_new=only_new)
            except botocore.exceptions.ClientError as error:
                if not only_new or _status(error) != 412:
                    raise
                upload.abandon()
                return False
        return True

    def get_file(self, key: str, path: Path, *, most: int, moved: Moved = unwatched) -> None:
        """Read an object into a file, going on where that ends; see `Store.get_file`."""
        found = self.head(key)
        if found is None:
            raise ObjectMissing("no such object in the store", value=key)
        check_size(key, found.size, most)
        with path.open("ab") as file, self._errors(key):
            if file.tell() > found.size:
                file.seek(0)
                file.truncate()
            if file.tell() == found.size:
                return
            rest = f"bytes={file.tell()}-{most - 1}"  # it may have been replaced by a larger one
            reply = self._client.get_object(Bucket=self._bucket, Key=key, Range=rest)
            with closing(reply["Body"]) as body:  # ended early, it must not hold its connection
                for block in body.iter_chunks(_BLOCK_BYTES):
                    file.write(block)
                    moved(file.tell())

    def get(self, key: str, *, most: int = MAX_GET_BYTES) -> bytes:
        """Read an object; raises ObjectMissing or ObjectTooLarge."""
        with self._errors(check_key(key)):
            reply = self._client.get_object(Bucket=self._bucket, Key=key)
            with closing(reply["Body"]) as body:  # as it is: a `with` of its own unwraps it
                check_size(key, reply["ContentLength"], most)  # the body is no longer than this
                return body.read()

    def head(self, key: str) -> StoredObject | None:
        """Describe an object, with its metadata; None when there is none."""
        check_key(key)
        with self._errors():
            try:
                reply = self._client.head_object(Bucket=self._bucket, Key=key)
            except botocore.exceptions.ClientError as error:
                if _status(error) != 404:
                    raise
                reply = None
        if reply is None:
            self.check()  # the reply to HEAD has no body: a missing bucket looks the same
            return None
        return StoredObject(key, reply["ContentLength"], reply["Metadata"])

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object whose key begins with ``prefix``, without metadata."""
        pages = self._client.get_paginator("list_objects_v2")
        with self._errors():
            for page in pages.paginate(Bucket=self._bucket, Prefix=check_prefix(prefix)):
                for entry in page.get("Contents", ()):
                    if is_key(entry["Key"]):  # not the "folder/" objects that consoles leave
                        yield StoredObject(entry["Key"], entry["Size"])

    def delete(self, key: str) -> None:
        """Remove an object; removing none is no error."""
        with self._errors():
            self._client.delete_object(Bucket=self._bucket, Key=check_key(key))

    def url(self, key: str, expires_s: int = 3600) -> str:
        """A signed link that reads the object without credentials."""
        with self._errors():
            return self._client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._bucket, "Key": check_key(key)},
                ExpiresIn=check_expiry(expires_s),
            )

    def _put_request(
        self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str] | None
    ) -> PutObjectRequestTypeDef:
        return {
            "Bucket": self._bucket,
            "Key": check_key(key),
            "Body": data,
            "ContentType": content_type,
            "Metadata": check_metadata(metadata),
        }

    @contextmanager
    def _errors(self, key: str | None = None) -> Iterator[None]:
        """Turn what the client raises into the errors of the `Store` protocol."""
        try:
            yield
        except _NO_CREDENTIALS:
            raise self._refused("the S3 store needs credentials, and none were found") from None
        except botocore.exceptions.ClientError as error:
            raise self._refusal(error, key) from None
        except botocore.exceptions.BotoCoreError as error:
            raise StoreUnreachable(
                f"no answer from the S3 store at {self._endpoint} ({type(error).__name__})",
                hint="is the farm running? `winepress up` starts one on this machine",
            ) from None

    def _refusal(self, error: botocore.exceptions.ClientError, key: str | None) -> StoreUnreachable:
        """What an error reply means; only its code is repeated, never its text."""
        code, status = str(error.response.get("Error", {}).get("Code", ""))[:64], _status(error)
        if code == "NoSuchKey" and key is not None:
            return ObjectMissing("no such object in the store", value=key)
        if code in _BUCKET_CODES or status == 404:
            return self._refused("the S3 store has no such bucket")
        if code in _CREDENTIAL_CODES or status in (401, 403):
            return self._refused(f"the S3 store refuses the credentials ({code})")
        return StoreUnreachable(
            f"the S3 store at {self._endpoint} answered {status} {code}",
            hint="the server's own log says why",
        )

    def _refused(self, problem: str) -> StoreRefused:
        return StoreRefused(
            f"{problem}: bucket {self._bucket!r} at {self._endpoint}",
            hint="see the settings s3_bucket, s3_access_key_id and s3_secret_access_key",
        )


def _client(settings: Settings) -> S3Client:
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
            endpoint_url=settings.s3_endpoint,
            aws_access_key_id=identifier.get_secret_value() if identifier else None,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            config=_CONFIG,
        )
    except ValueError:  # botocore's "Invalid endpoint", which repeats the whole address
        raise WrongUsage("not the address of a server", field="s3_endpoint") from None
    return client


def _shown(endpoint: str | None) -> str:
    """The address as messages show it: without a user name or password that may stand in it."""
    if endpoint is None:
        return "AWS"
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _status(error: botocore.exceptions.ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
