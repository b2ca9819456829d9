"""One large object, sent to S3 in parts; it appears whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

import botocore.exceptions

from winepress_shared.stores.base import PART_BYTES

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef, PutObjectRequestTypeDef

_ERRORS = (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError)


def send_parts(
    client: S3Client,
    request: PutObjectRequestTypeDef,
    file: BinaryIO,
    on_part: Callable[[], None],
) -> bool:
    """Send the rest of ``file`` in place of the body of ``request``, only if the key is free.

    False when it was taken meanwhile. ``on_part`` is called after each part. Raises what the
    client or ``on_part`` raises, with the parts sent so far removed.
    """
    bucket, key = request["Bucket"], request["Key"]
    upload = client.create_multipart_upload(
        Bucket=bucket,
        Key=key,
        ContentType=request["ContentType"],
        Metadata=request["Metadata"],
    )["UploadId"]
    done: list[CompletedPartTypeDef] = []
    try:
        while part := file.read(PART_BYTES):
            number = len(done) + 1
            sent = client.upload_part(
                Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part
            )
            done.append({"PartNumber": number, "ETag": sent["ETag"]})
            on_part()
        client.complete_multipart_upload(
            Bucket=bucket,
            Key=key,
            UploadId=upload,
            MultipartUpload={"Parts": done},
            IfNoneMatch="*",
        )
    except BaseException as error:
        # Nobody else knows of these parts; a server that is away keeps them.
        with contextlib.suppress(*_ERRORS):
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        if isinstance(error, botocore.exceptions.ClientError) and _is_taken(error):
            return False
        raise
    return True


def _is_taken(error: botocore.exceptions.ClientError) -> bool:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) == 412
