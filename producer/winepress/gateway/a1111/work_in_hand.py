"""The caller's pictures that are being drawn: A1111 has one job at a time, and gives it no name.

Jobs of this dialect are interactive, so `interrupt` never stops what the caller runs overnight.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from winepress.client import Client
from winepress.gateway.access import Caller
from winepress_shared.jobs.job import Priority
from winepress_shared.ledger.events import Event, EventName
from winepress_shared.ledger.records import JobRow
from winepress_shared.state import JobState

_KINDS = ("text-to-image", "image-to-image", "inpaint")


@dataclass(frozen=True)
class WorkInHand:
    """The newest job of a caller that has not ended, and how far its newest picture is."""

    row: JobRow
    step: int = 0  #: of the picture in progress
    steps: int = 0  #: of one picture; 0: not known yet
    previewed: int | None = None  #: unit of the newest preview

    @property
    def progress(self) -> float:
        """Share of the job that is drawn, 0 to 1."""
        share = self.step / self.steps if self.steps else 0.0
        return min(1.0, (self.row.done + self.row.failed + share) / self.row.units)

    @property
    def started(self) -> str:
        """When it was begun, or submitted, as A1111 writes moments."""
        moment = self.row.started or self.row.created
        return time.strftime("%Y%m%d%H%M%S", time.localtime(moment))


def newest_job(client: Client, caller: Caller) -> JobRow | None:
    """The newest running job of the caller, else the newest that waits; None if there is none."""

    def is_wanted(row: JobRow) -> bool:
        is_drawn = row.kind in _KINDS and row.priority is Priority.INTERACTIVE
        return is_drawn and caller.owns(row)

    for state in (JobState.RUNNING, JobState.QUEUED):
        rows, _ = client.job_pages.page(state, None, 1, is_wanted)
        if rows:
            return rows[0]
    return None


def work_in_hand(client: Client, caller: Caller) -> WorkInHand | None:
    """The work of the caller's newest job; None if there is none."""
    row = newest_job(client, caller) if caller.may_look else None
    if row is None:
        return None
    client.watchers.watch([row.id])  # whoever asks once asks again
    return _measured(row, client.ledger.events(row.id))


def _measured(row: JobRow, events: Sequence[Event]) -> WorkInHand:
    step = steps = 0
    previewed = None
    for event in events:
        if event.name == EventName.PROGRESS:
            step, steps = int(event.fields["step"]), int(event.fields["steps"])
        elif event.name == EventName.PREVIEW:
            previewed = int(event.fields.get("unit", 0))
        elif event.name in (EventName.UNIT_DONE, EventName.UNIT_FAILED, EventName.UNIT_RETRY):
            step = 0
    return WorkInHand(row, step, steps, previewed)
