"""A store in a bucket of any S3-compatible server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.exceptions

from winepress_shared.causes import cause_of, certificate_fault, lack_of, trust_hint
from winepress_shared.errors import AccessRefused, ObjectMissing, StoreRefused, StoreUnreachable
from winepress_shared.outage_log import Contact
from winepress_shared.per_process import PerProcess
from winepress_shared.settings import Settings
from winepress_shared.stores.base import (
    MAX_GET_BYTES,
    PROBED_BYTES,
    BytesCallback,
    StoredObject,
    check_expiry,
    check_key,
    check_metadata,
    check_prefix,
    check_size,
    ignore_bytes,
    is_key,
)
from winepress_shared.stores.s3_client import open_client, shown, status_of
from winepress_shared.stores.s3_multipart import PART_BYTES, MultipartUpload, abort_old_uploads

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import PutObjectRequestTypeDef

_BLOCK_BYTES = 2**20  #: read from the server at a time
_CONFLICT_ATTEMPTS = 5  #: of a conditional write that conflicts with another
_BUCKET_CODES = frozenset({"NoSuchBucket", "InvalidBucketName", "PermanentRedirect"})
_SETTINGS_HINT = "see the settings s3_bucket, s3_access_key_id and s3_secret_access_key"
_ROLE_HINT = f"a role may not do everything, the operator's may; {_SETTINGS_HINT}"
_CREDENTIAL_CODES = frozenset(
    {
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
    """Objects of one bucket; one client, shared by all threads of a process."""

    def __init__(self, settings: Settings) -> None:
        """Prepare the client without connecting; raises WrongUsage or StoreRefused."""
        self._bucket = settings.s3_bucket
        self._endpoint = shown(settings.s3_endpoint)
        self.contact = Contact("store")
        self._mine = PerProcess(lambda: open_client(settings))
        self._prober = PerProcess(lambda: open_client(settings, is_probe=True))
        #: Signs links and never connects: their address may be unreachable from here.
        self._signer = self._mine
        if settings.s3_public_endpoint:
            self._signer = PerProcess(lambda: open_client(settings, is_public=True))
        with self._errors():
            self._mine.get()

    @property
    def _client(self) -> S3Client:
        return self._mine.get()

    def __repr__(self) -> str:
        return f"S3Store(bucket={self._bucket!r}, endpoint={self._endpoint!r})"

    def check(self, key: str = "") -> None:
        """Check that the bucket can be used; see `Store.check`."""
        with self._errors():
            self._prober.get().head_bucket(Bucket=self._bucket)
            if key:
                data = os.urandom(PROBED_BYTES)  # some stores pack what they are given
                self._prober.get().put_object(**self._put_request(key, data, "text/plain", None))

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
        """Write an object only if the key is free; False if it was taken."""
        request = self._put_request(key, data, content_type, metadata)
        request["IfNoneMatch"] = "*"
        for _ in range(_CONFLICT_ATTEMPTS):
            with self._errors():
                try:
                    self._client.put_object(**request)
                    return True
                except botocore.exceptions.ClientError as error:
                    status = status_of(error)
                    if status == 412:
                        return False
                    if status != 409:  # a concurrent write of this key may still fail
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
        on_bytes: BytesCallback = ignore_bytes,
    ) -> bool:
        """Write a file of any size in pieces; see `Store.put_file`."""
        if path.stat().st_size <= PART_BYTES:
            data, put = path.read_bytes(), self.put_new if only_new else self.put
            is_written = put(key, data, content_type=content_type, metadata=metadata)
            on_bytes(len(data))
            return is_written is not False
        upload = MultipartUpload(self._client, self._bucket, check_key(key), path, on_bytes)
        with self._errors():
            try:
                upload.send(content_type, check_metadata(metadata), only_new=only_new)
            except botocore.exceptions.ClientError as error:
                if not only_new or status_of(error) != 412:
                    raise
                upload.abandon()
                return False
        return True

    def get_file(
        self, key: str, path: Path, *, most: int, on_bytes: BytesCallback = ignore_bytes
    ) -> None:
        """Read an object into a file, resuming at its end; see `Store.get_file`."""
        found = self.head(key)
        if found is None:
            raise ObjectMissing("the store has no such object", value=key)
        check_size(key, found.size, most)
        with path.open("ab") as file, self._errors(key):
            if file.tell() > found.size:
                file.seek(0)
                file.truncate()
            if file.tell() == found.size:
                return
            rest = f"bytes={file.tell()}-{most - 1}"  # it may have been replaced by a larger one
            reply = self._client.get_object(Bucket=self._bucket, Key=key, Range=rest)
            with closing(reply["Body"]) as body:  # frees the connection if it ends early
                for block in body.iter_chunks(_BLOCK_BYTES):
                    file.write(block)
                    on_bytes(file.tell())

    def get(self, key: str, *, most: int = MAX_GET_BYTES) -> bytes:
        """Read an object; raises ObjectMissing or ObjectTooLarge."""
        with self._errors(check_key(key)):
            reply = self._client.get_object(Bucket=self._bucket, Key=key)
            with closing(reply["Body"]) as body:  # the body's own `with` would unwrap it
                check_size(key, reply["ContentLength"], most)  # the body is not longer than this
                return body.read()

    def head(self, key: str) -> StoredObject | None:
        """Describe an object, with its metadata; None if it does not exist."""
        check_key(key)
        with self._errors():
            try:
                reply = self._client.head_object(Bucket=self._bucket, Key=key)
            except botocore.exceptions.ClientError as error:
                if status_of(error) != 404:
                    raise
                reply = None
        if reply is None:
            self.check()  # a missing bucket looks the same, because the reply to HEAD has no body
            return None
        return StoredObject(key, reply["ContentLength"], reply["Metadata"])

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object whose key starts with ``prefix``, without metadata."""
        pages = self._client.get_paginator("list_objects_v2")
        with self._errors():
            for page in pages.paginate(Bucket=self._bucket, Prefix=check_prefix(prefix)):
                for entry in page.get("Contents", ()):
                    if is_key(entry["Key"]):  # skips the "folder/" objects that consoles create
                        at, version = entry["LastModified"].timestamp(), entry.get("ETag", "")
                        yield StoredObject(entry["Key"], entry["Size"], {}, version, at)

    def delete(self, key: str) -> None:
        """Remove an object if it exists."""
        with self._errors():
            self._client.delete_object(Bucket=self._bucket, Key=check_key(key))

    def clean(self, prefix: str, older_s: float) -> int:
        """Remove what killed transfers left; see `Store.clean`."""
        with self._errors():
            return abort_old_uploads(self._client, self._bucket, check_prefix(prefix), older_s)

    def url(self, key: str, expires_s: int = 3600) -> str:
        """A signed link that reads the object without credentials."""
        with self._errors():
            return self._signer.get().generate_presigned_url(
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
        """Turn the client's errors into those of the `Store` protocol."""
        with self.contact:
            try:
                yield
            except _NO_CREDENTIALS:
                raise self._refused("the S3 store needs credentials, and none were found") from None
            except botocore.exceptions.ClientError as error:
                raise self._refusal(error, key) from None
            except botocore.exceptions.BotoCoreError as error:
                raise self._unreachable(error) from None

    def _unreachable(self, error: botocore.exceptions.BotoCoreError) -> StoreUnreachable:
        if fault := certificate_fault(error):
            return AccessRefused(
                f"the certificate of the S3 store at {self._endpoint} {fault}",
                hint=trust_hint("s3_ca"),
            )
        if lack := lack_of(error):
            return AccessRefused(f"the S3 store at {self._endpoint} cannot be asked: {lack}")
        if isinstance(error, botocore.exceptions.ProxyConnectionError):
            return AccessRefused(
                f"the proxy before the S3 store at {self._endpoint} cannot be used "
                f"({cause_of(error)})",
                hint="it is set in the environment: see HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
            )
        if isinstance(error, botocore.exceptions.ConfigParseError):
            return self._refused(f"boto3's own settings cannot be read: {error.kwargs['path']}")
        return StoreUnreachable(
            f"no answer from the S3 store at {self._endpoint} ({cause_of(error)})",
            hint="is the farm running? `winepress up` starts one on this machine",
        )

    def _refusal(self, error: botocore.exceptions.ClientError, key: str | None) -> StoreUnreachable:
        """The error for an error reply; repeats its code, never its text."""
        code, status = str(error.response.get("Error", {}).get("Code", ""))[:64], status_of(error)
        if code == "NoSuchKey" and key is not None:
            return ObjectMissing("the store has no such object", value=key)
        if code in _BUCKET_CODES or status == 404:
            return self._refused("the S3 store has no such bucket", kind=StoreRefused)
        if code == "AccessDenied":
            return self._refused(
                "the S3 store does not allow this with these credentials", _ROLE_HINT
            )
        if code in _CREDENTIAL_CODES or status == 401:
            return self._refused(f"the S3 store refuses the credentials ({code})")
        if status == 403:  # either one, because the reply to HEAD has no body
            return self._refused(
                "the S3 store refuses the credentials, or does not allow this with them", _ROLE_HINT
            )
        return StoreUnreachable(
            f"the S3 store at {self._endpoint} answered {status} {code}",
            hint="see the server's own log",
        )

    def _refused(
        self, problem: str, hint: str = _SETTINGS_HINT, kind: type[StoreRefused] = AccessRefused
    ) -> StoreRefused:
        return kind(f"{problem}: bucket {self._bucket!r} at {self._endpoint}", hint=hint)
