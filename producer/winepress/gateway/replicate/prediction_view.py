"""A job as Replicate shows it: a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from winepress.gateway.checkpoints import Checkpoint
from winepress_shared.jobs.job_record import JobRecord
from winepress_shared.lane import Lane
from winepress_shared.ledger.events import Event, EventName
from winepress_shared.ledger.records import JobRow
from winepress_shared.state import JobState

OWNER = "winepress"  #: of every model
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


def prediction_of(row: JobRow, origin: str) -> dict[str, Any]:
    """The prediction that a job is, without what only the store and the events know.

    ``origin`` is the address with which links to the gateway begin.
    """
    lane = Lane.parse(row.lane)
    checkpoint = Checkpoint(lane.model, lane.precision)
    url = f"{origin}/v1/predictions/{row.id}"
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
        "urls": {"get": url, "cancel": f"{url}/cancel"},
    }


def whole_prediction(
    row: JobRow,
    origin: str,
    record: JobRecord | None,
    events: Sequence[Event],
    urls: Sequence[str],
    impossible: str | None = None,
) -> dict[str, Any]:
    """The same with input, logs, and the ``urls`` of the outputs.

    ``impossible`` says why no live worker can render the job.
    """
    warnings = () if record is None else record.warnings
    if impossible is not None:
        warnings = (*warnings, f"no worker can render it now: {impossible}")
    return prediction_of(row, origin) | {
        "input": None if record is None else record.job.model_dump(mode="json", exclude_none=True),
        "output": list(urls) or None,
        "logs": "\n".join([*warnings, _bar(row, events)]),
    }


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
    return (
        None if at is None else datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    )
