"""The files that callers have uploaded, in the store below ``gateway/files/USER/``."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from winepress.gateway.refusals import TooManyRequests
from winepress_shared.errors import DamagedRecord, InvalidJob, NotFound, ObjectMissing
from winepress_shared.ledger.repeats import new_note
from winepress_shared.regular_file import size_text
from winepress_shared.stores.base import Store

MAX_FILE_BYTES = 200 * 2**20  #: of one file
MOST_FILES = 1_000  #: of one user
MAX_DOCUMENT_BYTES = 16 * 2**10
FILE_ID = re.compile(r"file-[0-9a-f]{28}")


class StoredFile(BaseModel):
    """What is known about one file; times are Unix seconds."""

    model_config = ConfigDict(frozen=True)

    id: str
    filename: str
    content_type: str
    size: int  #: in bytes
    sha256: str
    created: float
    expires: float | None = None
    purpose: str = ""
    metadata: Mapping[str, str] = {}
    origin: Literal["openai", "replicate"] = "openai"  #: of the client that uploaded it


class UserFiles:
    """The files of one user; the methods block their thread."""

    def __init__(self, store: Store, user: str) -> None:
        self._store = store
        self._prefix = f"gateway/files/{user}/"

    def add(self, path: Path, file: StoredFile) -> StoredFile:
        """Store the content at ``path``; returns the file with size and digest.

        Raises TooManyRequests when the user has too many files.
        """
        ids = self.ids()
        if len(ids) >= MOST_FILES and all(map(self._is_there, reversed(ids))):
            raise TooManyRequests(
                "too many files", allowed=f"{MOST_FILES}", hint="Delete some with DELETE /v1/files"
            )
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        found = file.model_copy(update={"size": path.stat().st_size, "sha256": digest})
        # The description comes last: a file exists once it is there.
        self._store.put_file(self._content(found.id), path)
        text = found.model_dump_json().encode()
        self._store.put(self._document(found.id), text, content_type="application/json")
        return found

    def _is_there(self, file_id: str) -> bool:
        """Whether a file has not expired; one that has is removed."""
        try:
            self.get(file_id)
        except NotFound:
            return False
        return True

    def get(self, file_id: str) -> StoredFile:
        """A file; raises NotFound for one that was deleted, has expired or never existed."""
        if not FILE_ID.fullmatch(file_id):
            raise _unknown(file_id)
        try:
            data = self._store.get(self._document(file_id), most=MAX_DOCUMENT_BYTES)
            found = StoredFile.model_validate_json(data)
        except ObjectMissing:
            raise _unknown(file_id) from None
        except ValidationError:
            raise DamagedRecord("the description of a file is damaged", value=file_id) from None
        if found.expires is not None and found.expires < time.time():
            self.delete(file_id)
            raise _unknown(file_id)
        return found

    def ids(self) -> list[str]:
        """The ids of all files, newest first."""
        suffix = ".json"
        keys = (one.key.removeprefix(self._prefix) for one in self._store.list(self._prefix))
        return sorted((key[: -len(suffix)] for key in keys if key.endswith(suffix)), reverse=True)

    def delete(self, file_id: str) -> None:
        """Remove a file."""
        self._store.delete(self._document(file_id))
        self._store.delete(self._content(file_id))

    def fetch(self, file: StoredFile, path: Path) -> None:
        """Write the content of a file to the empty file ``path``; raises NotFound."""
        try:
            self._store.get_file(self._content(file.id), path, most=file.size)
        except ObjectMissing:  # deleted meanwhile
            raise _unknown(file.id) from None

    def read(self, file_id: str, most: int) -> bytes:
        """The content of a small file; raises NotFound, and InvalidJob for more bytes than that."""
        file = self.get(file_id)
        if file.size > most:
            raise InvalidJob(
                "the file is too large", value=file_id, allowed=f"up to {size_text(most)}"
            )
        return self._store.get(self._content(file_id), most=most)

    def _document(self, file_id: str) -> str:
        return f"{self._prefix}{file_id}.json"

    def _content(self, file_id: str) -> str:
        return f"{self._prefix}{file_id}.data"


def new_file_id() -> str:
    """An id; later ids are greater."""
    return f"file-{new_note()}"


def _unknown(file_id: str) -> NotFound:
    return NotFound("no such file", field="file_id", value=file_id)
