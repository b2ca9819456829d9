"""Sends large files to S3 in parts, so that a killed transfer can resume."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from winepress_shared.stores.base import BytesCallback

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        CompleteMultipartUploadRequestTypeDef,
    )

PART_BYTES = 16 * 2**20  #: read into memory at a time; S3 requires 5 MiB except for the last
_MAX_PARTS = 10_000  #: per object: the limit of S3


def abort_old_uploads(client: S3Client, bucket: str, prefix: str, older_s: float) -> int:
    """Delete unfinished uploads that began longer ago than ``older_s``; returns their number."""
    before, count = datetime.now(UTC) - timedelta(seconds=older_s), 0
    pages = client.get_paginator("list_multipart_uploads")
    for page in pages.paginate(Bucket=bucket, Prefix=prefix):
        for one in page.get("Uploads", ()):
            if one["Initiated"] < before:
                client.abort_multipart_upload(
                    Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"]
                )
                count += 1
    return count


@dataclass(frozen=True)
class MultipartUpload:
    """The upload of one file as one object, which appears complete or not at all."""

    client: S3Client
    bucket: str
    key: str
    path: Path
    on_bytes: BytesCallback

    def send(self, content_type: str, metadata: dict[str, str], *, only_new: bool) -> None:
        """Write the object; raises the client's errors, and OSError for the file.

        Without metadata it resumes an unfinished upload of the same key. With metadata it starts
        afresh, because S3 does not return an unfinished upload's metadata.
        """
        upload = None if metadata else self._unfinished()
        try:
            if upload:
                self._finish(upload, only_new)
                return
        except self.client.exceptions.NoSuchUpload:
            pass  # another writer of this key has completed it
        begun = self.client.create_multipart_upload(
            Bucket=self.bucket, Key=self.key, ContentType=content_type, Metadata=metadata
        )
        self._finish(begun["UploadId"], only_new)
        with suppress(ClientError):  # `Store.clean` removes them later
            self.abandon()  # those that killed writers of this key left

    def abandon(self) -> None:
        """Delete this key's unfinished uploads, after another writer took the key."""
        while upload := self._unfinished():
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=self.key, UploadId=upload)

    def _unfinished(self) -> str | None:
        """An unfinished upload of this key, or None."""
        found = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=self.key)
        uploads = found.get("Uploads", ())
        return next((one["UploadId"] for one in uploads if one["Key"] == self.key), None)

    def _finish(self, upload: str, only_new: bool) -> None:
        """Send the missing parts, then complete the object."""
        parts = list(self._parts(upload))
        request: CompleteMultipartUploadRequestTypeDef = {
            "Bucket": self.bucket,
            "Key": self.key,
            "UploadId": upload,
            "MultipartUpload": {"Parts": parts},
        }
        if only_new:
            request["IfNoneMatch"] = "*"
        self.client.complete_multipart_upload(**request)

    def _parts(self, upload: str) -> Iterator[CompletedPartTypeDef]:
        """Send every part that the server lacks, compared by MD5; yields all parts."""
        held, done = self._held(upload), 0
        for number, data in enumerate(self._blocks(), 1):
            etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
            if held.get(number) != etag:
                sent = self.client.upload_part(
                    Bucket=self.bucket,
                    Key=self.key,
                    UploadId=upload,
                    PartNumber=number,
                    Body=data,
                )
                etag = sent["ETag"]
            done += len(data)
            self.on_bytes(done)
            yield {"PartNumber": number, "ETag": etag}

    def _held(self, upload: str) -> dict[int, str]:
        pages = self.client.get_paginator("list_parts").paginate(
            Bucket=self.bucket, Key=self.key, UploadId=upload
        )
        return {p["PartNumber"]: p["ETag"] for page in pages for p in page.get("Parts", ())}

    def _blocks(self) -> Iterator[bytes]:
        size = max(PART_BYTES, math.ceil(self.path.stat().st_size / _MAX_PARTS))
        with self.path.open("rb") as file:
            while data := file.read(size):
                yield data
