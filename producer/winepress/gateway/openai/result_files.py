"""The results of batches as files of OpenAI's API.

They are written whenever they are asked for, from the results of the jobs: so they need no space,
and links in them are always fresh.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from winepress.client import Client
from winepress.gateway.openai.batch_lines import Link, error_lines, output_lines
from winepress.gateway.openai.batch_record import BatchRecord, UserBatches
from winepress.gateway.openai.batch_view import batch_json
from winepress_shared.errors import NotFound

_ID = re.compile(r"file-([0-9a-f]{28})-(output|errors)")
_MEMBERS = {"output": "output_file_id", "errors": "error_file_id"}


@dataclass(frozen=True)
class ResultFile:
    """The output file or the error file of a batch that has ended."""

    id: str
    name: str  #: output or errors
    record: BatchRecord

    @classmethod
    def is_id(cls, file_id: str) -> bool:
        """Whether this can be the id of one."""
        return _ID.fullmatch(file_id) is not None

    @classmethod
    def get(cls, client: Client, user: str, file_id: str) -> ResultFile:
        """The file of this id; raises NotFound. Blocks its thread."""
        found = _ID.fullmatch(file_id)
        record = (
            UserBatches(client.archive.store, user).find(f"batch_{found[1]}") if found else None
        )
        if not found or not record or batch_json(client, record)[_MEMBERS[found[2]]] is None:
            raise NotFound("no such file", field="file_id", value=file_id)
        return cls(file_id, found[2], record)

    def drop(self, client: Client, user: str) -> None:
        """Offer the file no longer; the pictures stay. Blocks its thread."""
        dropped = (*self.record.dropped, self.name)
        record = self.record.model_copy(update={"dropped": dropped})
        UserBatches(client.archive.store, user).write(record)

    def json(self) -> dict[str, Any]:
        """The file in the form of OpenAI; its size is unknown before it is written."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": 0,
            "created_at": int(self.record.created),
            "filename": f"{self.record.id}_{self.name}.jsonl",
            "purpose": "batch_output",
            "status": "processed",
        }

    def content(self, client: Client, link: Link) -> Iterator[bytes]:
        """The lines of the file; blocks its thread."""
        if self.name == "output":
            return output_lines(client, self.record, link)
        return error_lines(client, self.record)
