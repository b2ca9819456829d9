"""A job as Replicate shows it: a prediction."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import Request

from winepress.gateway.checkpoints import Checkpoint
from winepress.gateway.gateway import Gateway
from winepress.gateway.replicate.models import OWNER
from winepress_shared.errors import FailForGood, ObjectMissing
from winepress_shared.lane import Lane
from winepress_shared.ledger.events import Event, EventName
from winepress_shared.ledger.records import JobRow
from winepress_shared.state import JobState

#: Replicate's clients know no other words, and would wait for ever at one.
_STATUSES = {
    JobState.QUEUED: "starting",
    JobState.RUNNING: "processing",
    JobState.SUCCEEDED: "succeeded",
    JobState.FAILED: "failed",
    JobState.CANCELED: "canceled",
    JobState.EXPIRED: "failed",
}
_BAR = 10  #: characters


def prediction_of(gateway: Gateway, request: Request, row: JobRow) -> dict[str, Any]:
    """The prediction that a job is, without what only the store and the events know."""
    lane = Lane.parse(row.lane)
    checkpoint = Checkpoint(lane.model, lane.precision)
    path = f"/v1/predictions/{row.id}"
    return {
        "id": row.id,
        "model": f"{OWNER}/{checkpoint.name}",
        "version": checkpoint.sha256,
        "status": _STATUSES[row.state],
        "input": None,
        "output": None,
        "logs": "",
        "error": _error(row),
        "metrics": _metrics(row),
        "created_at": _moment(row.created),
        "started_at": _moment(row.started),
        "completed_at": _moment(row.finished),
        "urls": {
            "get": gateway.address(request, path),
            "cancel": gateway.address(request, f"{path}/cancel"),
        },
    }


def whole_prediction(gateway: Gateway, request: Request, row: JobRow) -> dict[str, Any]:
    """The same with input, output and logs; blocks its thread."""
    client, view = gateway.client.client, prediction_of(gateway, request, row)
    warnings: Sequence[str] = ()
    with contextlib.suppress(ObjectMissing, FailForGood):
        record = client.archive.read_job(row.id)
        view["input"] = record.job.model_dump(mode="json", exclude_none=True)
        warnings = record.warnings
    view["logs"] = "\n".join([*warnings, _bar(row, client.ledger.events(row.id))])
    if row.done and row.state.is_terminal:
        outputs = client.get(row.id).result.outputs
        view["output"] = [gateway.output_url(request, row.id, one) for one in outputs]
    return view


def _bar(row: JobRow, events: Sequence[Event]) -> str:
    """How far the job is, in the form of tqdm: clients read the last such line."""
    ended, total = row.done + row.failed, row.units
    if total == 1:
        for event in reversed(events):
            if event.name == EventName.PROGRESS:
                total = int(event.fields["steps"])
                ended = total if row.state.is_terminal else int(event.fields["step"])
                break
    share = ended / max(1, total)
    filled = "#" * round(_BAR * share)
    return f"{round(100 * share):3}%|{filled:<{_BAR}}| {ended}/{total}"


def _error(row: JobRow) -> str | None:
    if row.state in (JobState.FAILED, JobState.EXPIRED):
        return row.reason or f"the job {row.state.value}"
    return None


def _metrics(row: JobRow) -> dict[str, float]:
    if row.started is None or row.finished is None:
        return {}
    return {"predict_time": row.finished - row.started}


def _moment(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
