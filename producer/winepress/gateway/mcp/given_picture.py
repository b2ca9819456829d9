"""Pictures that an assistant gives: embedded, or by the id of an earlier job."""

from __future__ import annotations

import re

from winepress.gateway.mcp.backend import Backend
from winepress.handle import JobHandle
from winepress_shared.errors import InvalidJob, NotFound
from winepress_shared.job_id import ID_PATTERN
from winepress_shared.jobs.picture import MAX_FILE_BYTES

_OF_JOB = re.compile(rf"({ID_PATTERN.strip('^$')})(?:/([0-9]{{1,5}}))?")
#: How a data: URL, an upload's reference, and a PNG, JPEG or WebP file in base64 begin.
_EMBEDDED = ("data:", "sha256:", "iVBORw0KGgo", "/9j/", "UklGR")


async def given_picture(backend: Backend, field: str, text: str) -> str | bytes:
    """The file of an earlier job's picture, or an embedded one as it is.

    Raises InvalidJob for other text, and NotFound for a picture that the caller may not see.
    """
    found = _OF_JOB.fullmatch(text)
    if found is not None:
        row = await backend.row(found[1])
        handle = JobHandle(backend.client.client, row.id)
        return await backend.client.in_thread(_read, handle, int(found[2] or 0))
    if text.startswith(_EMBEDDED):
        return text
    raise InvalidJob(
        "not a picture",
        field=field,
        value=text,
        allowed="base64 of a PNG, JPEG or WebP file, a data: URL, or JOB_ID/NUMBER",
        hint="Paths and addresses are not opened",
    )


def _read(handle: JobHandle, unit: int) -> bytes:
    pictures = {one.unit: one for one in handle.result.outputs if not one.is_film}
    if unit not in pictures:
        raise NotFound(
            "this job has no such picture",
            value=f"{handle.id}/{unit}",
            allowed=", ".join(f"{handle.id}/{one}" for one in sorted(pictures)[:20]) or None,
            hint=None if pictures else "None of its pictures is finished",
        )
    if pictures[unit].size > MAX_FILE_BYTES:
        raise InvalidJob("the picture is too large", value=f"{handle.id}/{unit}")
    return handle.read(pictures[unit])
