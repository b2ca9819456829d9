"""Files in a job: given by a path, or embedded as a data: URL or in base64."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.aliases import ALIASES
from winepress_shared.jobs.picture import MAX_FILE_BYTES

_OURS = ("image", "mask", "first_image", "exit_image", "audio")
#: Every field that may hold a file; ``init_images`` of A1111 holds a list.
FILE_FIELDS = (*_OURS, *(name for name, ours in ALIASES.items() if ours in _OURS), "init_images")
#: PNG, JPEG and WebP in base64. A path may begin in the same way, but does not continue so.
_BASE64 = re.compile(r"(?:iVBORw0KGgo|/9j/|UklGR)[A-Za-z0-9+/\s]{64,}+={0,2}\s*+\Z")
_DATA_URL = re.compile(r"data:[\w.+/-]{0,100}(?:;[\w=.+-]{1,100}){0,4},")


def with_files(values: Mapping[str, Any], folder: Path | None = None) -> dict[str, Any]:
    """``values`` with embedded files as bytes, and paths relative to ``folder``.

    Without a folder paths stay as they are. Raises InvalidJob for invalid base64 and for a file
    that is too large.
    """
    fields = dict(values)
    for name in FILE_FIELDS:
        value = fields.get(name)
        if isinstance(value, str):
            fields[name] = _given(name, value, folder)
        elif isinstance(value, list | tuple):
            fields[name] = [_given(name, v, folder) if isinstance(v, str) else v for v in value]
    return fields


def _given(name: str, text: str, folder: Path | None) -> str | bytes:
    url = _DATA_URL.match(text)
    if url:
        if not url[0].endswith(";base64,"):
            raise InvalidJob("a data: URL must be in base64", field=name, value=url[0])
        return _decoded(name, text[url.end() :])
    if _BASE64.match(text):
        return _decoded(name, text)
    if folder is None or text.startswith("sha256:"):
        return text
    return str(folder / text)


def _decoded(name: str, text: str) -> bytes:
    if len(text) > MAX_FILE_BYTES * 3 // 2:
        allowed = f"{MAX_FILE_BYTES >> 20} MiB"
        raise InvalidJob("the embedded file is too large", field=name, allowed=allowed)
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidJob("not base64", field=name, value=text[:40]) from None
