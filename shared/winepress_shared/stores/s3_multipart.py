"""Large files on S3: sent in parts, so that a transfer that was killed goes on where it stopped."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from winepress_shared.stores.base import BytesCallback

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        CompleteMultipartUploadRequestTypeDef,
    )

PART_BYTES = 16 * 2**20  #: read into memory at a time; S3 takes none below 5 MiB but the last
_MAX_PARTS = 10_000  #: of one object: the limit of S3


@dataclass(frozen=True)
class MultipartUpload:
    """One file on its way to one object, which appears whole or not at all."""

    client: S3Client
    bucket: str
    key: str
    path: Path
    on_bytes: BytesCallback

    def send(self, content_type: str, metadata: dict[str, str], *, only_new: bool) -> None:
        """Write the object; raises the client's errors, and OSError when the file fails.

        Without metadata this goes on with an unfinished upload of the same key. With metadata it
        begins anew, for S3 does not tell what an unfinished upload carries.
        """
        upload = None if metadata else self._unfinished()
        try:
            if upload:
                return self._finish(upload, only_new)
        except self.client.exceptions.NoSuchUpload:
            pass  # another writer of this key has just ended it
        begun = self.client.create_multipart_upload(
            Bucket=self.bucket, Key=self.key, ContentType=content_type, Metadata=metadata
        )
        return self._finish(begun["UploadId"], only_new)

    def abandon(self) -> None:
        """Give back the room of this key's unfinished uploads; somebody else has the key."""
        while upload := self._unfinished():
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=self.key, UploadId=upload)

    def _unfinished(self) -> str | None:
        """An upload of this key that was begun and not ended."""
        found = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=self.key)
        uploads = found.get("Uploads", ())
        return next((one["UploadId"] for one in uploads if one["Key"] == self.key), None)

    def _finish(self, upload: str, only_new: bool) -> None:
        """Send what the server does not hold yet, then make the object of it."""
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
        """Every part of the file, sent by now; the server tells a part by its MD5."""
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
