"""A picture in the body of a request: in base64, or as a ``data:`` URL."""

from __future__ import annotations

from winepress.job_files.given_file import with_files
from winepress_shared.errors import InvalidJob


def given_picture(field: str, value: object) -> bytes:
    """The bytes of a picture file; raises InvalidJob. They are not looked at."""
    found = with_files({"image": value})["image"] if isinstance(value, str) else value
    if not isinstance(found, bytes):
        raise InvalidJob(
            "not a picture",
            field=field,
            value=None if value is None else str(value)[:40],
            allowed="a PNG, JPEG or WebP file in base64, or a data: URL of one",
        )
    return found
