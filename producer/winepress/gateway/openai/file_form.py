"""Uploads of files as clients of OpenAI and of Replicate send them, and what they get to know."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import FormData, UploadFile

from winepress.gateway.openai.batch_order import read_metadata
from winepress.gateway.openai.user_files import StoredFile, new_file_id
from winepress_shared.errors import InvalidJob
from winepress_shared.json_text import parse_json

_LEAST_LIFE_S, _MOST_LIFE_S = 3_600, 30 * 86_400  #: of a file that expires
_REPLICATE_LIFE_S = 86_400.0  #: as on Replicate
_MOST_NAME_CHARACTERS = 200
_PURPOSES = ("batch", "assistants", "fine-tune", "vision", "user_data", "evals")


def uploaded(form: FormData) -> tuple[UploadFile, StoredFile]:
    """The file in a form, and its description without size and digest; raises InvalidJob.

    OpenAI's clients send it as ``file``, Replicate's as ``content``.
    """
    is_replicate = "content" in form
    field = "content" if is_replicate else "file"
    found = form.get(field)
    if not isinstance(found, UploadFile):
        raise InvalidJob("must be a file", field=field)
    now = time.time()
    file = StoredFile(
        id=new_file_id(),
        filename=_plain_name(found.filename),
        content_type=(found.content_type or "application/octet-stream")[:100],
        size=0,
        sha256="",
        created=now,
    )
    if is_replicate:
        metadata = read_metadata(_metadata(form.get("metadata")))
        more: dict[str, Any] = {"origin": "replicate", "metadata": metadata}
        return found, file.model_copy(update=more | {"expires": now + _REPLICATE_LIFE_S})
    purpose, life_s = form.get("purpose"), _life_s(form)
    if purpose not in _PURPOSES:
        allowed = ", ".join(_PURPOSES)
        raise InvalidJob("not a purpose", field="purpose", value=purpose, allowed=allowed)
    expires = None if life_s is None else now + life_s
    return found, file.model_copy(update={"purpose": purpose, "expires": expires})


def _plain_name(name: str | None) -> str:
    """The last part of a path, without characters that cannot be shown."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    shown = "".join(one for one in last if one.isprintable())
    return shown[:_MOST_NAME_CHARACTERS] or "file"


def _metadata(text: object) -> object:
    if not isinstance(text, str) or not text:
        return None
    try:
        return parse_json(text)
    except ValueError as error:
        raise InvalidJob(f"not JSON: {error}", field="metadata") from None


def _life_s(form: FormData) -> int | None:
    anchor, seconds = form.get("expires_after[anchor]"), form.get("expires_after[seconds]")
    if seconds is None and anchor is None:
        return None
    allowed = f"{_LEAST_LIFE_S} to {_MOST_LIFE_S} seconds after created_at"
    is_number = isinstance(seconds, str) and seconds.isascii() and seconds.isdecimal()
    if anchor != "created_at" or not is_number or len(str(seconds)) > 8:
        raise InvalidJob("not a lifetime", field="expires_after", value=seconds, allowed=allowed)
    life_s = int(str(seconds))
    if not _LEAST_LIFE_S <= life_s <= _MOST_LIFE_S:
        raise InvalidJob("out of bounds", field="expires_after", value=life_s, allowed=allowed)
    return life_s


def file_json(file: StoredFile, address: str) -> dict[str, Any]:
    """A file in the form of the client that uploaded it; ``address`` is that of its route."""
    if file.origin == "replicate":
        return _replicate_json(file, address)
    members: dict[str, Any] = {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": int(file.created),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
    }
    if file.expires is not None:
        members["expires_at"] = int(file.expires)
    return members


def _replicate_json(file: StoredFile, address: str) -> dict[str, Any]:
    return {
        "id": file.id,
        "name": file.filename,
        "content_type": file.content_type,
        "size": file.size,
        "etag": file.sha256,
        "checksums": {"sha256": file.sha256},
        "metadata": dict(file.metadata),
        "created_at": _moment(file.created),
        "expires_at": None if file.expires is None else _moment(file.expires),
        "urls": {"get": address},
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
