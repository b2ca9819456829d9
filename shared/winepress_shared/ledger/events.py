"""The events of a job, as the ledger's scripts write them and watchers read them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

#: Numeric fields, and required fields.
_COUNTS = ("unit", "step", "steps", "done", "units")
_NEEDED = {"progress": ("unit", "step", "steps"), "unit-done": ("unit", "done")}
_COUNT = re.compile(r"[0-9]{1,15}")


class EventName(StrEnum):
    """The events of a job, with their fields. Each `JobState` is an event too, with a reason."""

    UNIT_STARTED = "unit-started"  #: unit, holder
    PROGRESS = "progress"  #: unit, step, steps, done, units
    PREVIEW = "preview"  #: unit, step, steps; the picture is in the `PreviewStore`
    UNIT_DONE = "unit-done"  #: unit, done, units
    UNIT_RETRY = "unit-retry"  #: unit, class, message
    UNIT_FAILED = "unit-failed"  #: unit, class, message
    NOTE = "note"  #: message
    PAUSED = "paused"
    RESUMED = "resumed"
    STATE = "state"  #: the job's state at the start; made by `JobHandle.events`
    DAMAGED = "damaged"  #: an entry that cannot be read; no fields


@dataclass(frozen=True)
class Event:
    """One event of a job."""

    id: str  #: position in the stream, from which reading can resume
    name: str  #: an `EventName` or a `JobState`
    at: float  #: Unix seconds
    fields: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, row_id: str, row: dict[str, str]) -> Event:
        """Read an entry of the stream ``events:ID``."""
        fields = {name: value for name, value in row.items() if name not in ("event", "at")}
        counts = (row.get("at", ""), *(fields[name] for name in _COUNTS if name in fields))
        name = row.get("event", "")
        is_whole = bool(name) and set(_NEEDED.get(name, ())) <= set(fields)
        if not is_whole or not all(map(_COUNT.fullmatch, counts)):
            # Kept for its id, so that a reader continues after it.
            return cls(row_id, EventName.DAMAGED, 0.0)
        return cls(row_id, name, int(row["at"]) / 1000, fields)
