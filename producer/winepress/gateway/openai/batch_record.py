"""Batches that callers have submitted, in the store below ``gateway/batches/USER/``.

A record says which jobs a batch became; what has become of it is read from those jobs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from winepress_shared.errors import DamagedRecord, NotFound, ObjectMissing
from winepress_shared.stores.base import Store

BATCH_ID = re.compile(r"batch_[0-9a-f]{28}")
MAX_RECORD_BYTES = 8 * 2**20
MOST_FAULTS = 1_000  #: of one batch that are listed
MOST_WARNINGS = 100  #: different ones of one batch that are listed


class Fault(BaseModel):
    """What is wrong with one line of a batch."""

    model_config = ConfigDict(frozen=True)

    line: int | None  #: from 1
    column: int | None = None
    param: str | None = None  #: name of the field
    message: str
    code: str = "invalid-job"


class BatchRecord(BaseModel):
    """One batch; times are Unix seconds."""

    model_config = ConfigDict(frozen=True)

    id: str
    digest: str  #: of the request
    created: float
    endpoint: str = ""  #: empty for a batch in a form of our own
    input_file_id: str = ""
    completion_window: str = ""
    expires: float | None = None
    metadata: Mapping[str, str] = {}
    requests: int = 0  #: lines
    pictures: int = 0
    jobs: tuple[str, ...] = ()
    warnings: Mapping[str, int] = {}  #: sentence → number of pictures
    faults: tuple[Fault, ...] = ()
    more_faults: int = 0  #: that are not listed
    wants_bytes: bool = False  #: its lines are answered with the pictures themselves
    canceled: float | None = None  #: when the caller asked for it
    dropped: tuple[str, ...] = ()  #: files of results that the caller has deleted


class UserBatches:
    """The batches of one user; the methods block their thread."""

    def __init__(self, store: Store, user: str) -> None:
        self._store = store
        self._prefix = f"gateway/batches/{user}/"

    def write(self, record: BatchRecord) -> None:
        """Store a record, replacing an older one."""
        text = record.model_dump_json().encode()
        self._store.put(self._key(record.id), text, content_type="application/json")

    def find(self, batch_id: str) -> BatchRecord | None:
        """The record of a batch; None if there is none."""
        if not BATCH_ID.fullmatch(batch_id):
            return None
        try:
            data = self._store.get(self._key(batch_id), most=MAX_RECORD_BYTES)
            return BatchRecord.model_validate_json(data)
        except ObjectMissing:
            return None
        except ValidationError:
            raise DamagedRecord("the record of a batch is damaged", value=batch_id) from None

    def get(self, batch_id: str) -> BatchRecord:
        """The record of a batch; raises NotFound."""
        record = self.find(batch_id)
        if record is None:
            raise NotFound("no such batch", field="batch_id", value=batch_id)
        return record

    def ids(self) -> list[str]:
        """The ids of all batches, newest first."""
        suffix = ".json"
        keys = (one.key.removeprefix(self._prefix) for one in self._store.list(self._prefix))
        return sorted((key[: -len(suffix)] for key in keys if key.endswith(suffix)), reverse=True)

    def _key(self, batch_id: str) -> str:
        return f"{self._prefix}{batch_id}.json"
