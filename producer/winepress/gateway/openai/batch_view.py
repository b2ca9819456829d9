"""Batches as OpenAI describes them, with the jobs that they became."""

from __future__ import annotations

from typing import Any

from winepress.client import Client
from winepress.estimate import Work
from winepress.gateway.openai.batch_lines import batch_lines
from winepress.gateway.openai.batch_plan import BatchPlan
from winepress.gateway.openai.batch_record import BatchRecord
from winepress.handle import JobHandle
from winepress_shared.archive import Result
from winepress_shared.errors import NotFound
from winepress_shared.ledger.records import PRIORITIES, JobRow
from winepress_shared.state import JobState


def batch_json(client: Client, record: BatchRecord) -> dict[str, Any]:
    """A batch now, in the form of OpenAI; ``jobs`` and ``warnings`` are our own members.

    Blocks its thread.
    """
    found = [(job_id, _row(client, job_id)) for job_id in record.jobs]
    rows = [row for _, row in found if row is not None]
    has_ended = all(row.state.is_terminal for row in rows)
    counts = _counts(client, record, found, has_ended)
    status, ended = _status(record, rows, has_ended)
    members: dict[str, Any] = {
        "id": record.id,
        "object": "batch",
        "endpoint": record.endpoint or "/v1/batches",
        "input_file_id": record.input_file_id,
        "completion_window": record.completion_window or "none",
        "status": status,
        "created_at": int(record.created),
        "in_progress_at": int(record.created) if record.jobs else None,
        "expires_at": _whole(record.expires),
        "cancelling_at": _whole(record.canceled),
        "request_counts": counts,
        "metadata": dict(record.metadata) or None,
        "errors": _errors(record) if record.faults else None,
        "jobs": [_job(job_id, row) for job_id, row in found],
        "pictures": record.pictures,
        "warnings": _warnings(record.warnings),
    }
    for name in ("failed", "completed", "expired", "cancelled"):
        members[f"{name}_at"] = _whole(ended) if status == name else None
    files = {"output": counts["completed"], "errors": counts["total"] - counts["completed"]}
    for name, lines in files.items():
        is_there = has_ended and record.jobs and lines and name not in record.dropped
        member = "output_file_id" if name == "output" else "error_file_id"
        members[member] = result_file_id(record, name) if is_there else None
    return members


def result_file_id(record: BatchRecord, name: str) -> str:
    """The id of a file with results; ``name`` is output or errors."""
    return f"file-{record.id.removeprefix('batch_')}-{name}"


def _row(client: Client, job_id: str) -> JobRow | None:
    """A job of the ledger; None once its record has expired."""
    try:
        return client.ledger.get(job_id)
    except NotFound:
        return None


def _status(record: BatchRecord, rows: list[JobRow], has_ended: bool) -> tuple[str, float | None]:
    """The status, and when it began."""
    ended = max((row.finished or 0.0 for row in rows), default=0.0) or record.created
    if record.faults:
        return "failed", record.created
    if record.canceled is not None:
        return ("cancelled", ended) if has_ended else ("cancelling", None)
    if not has_ended:
        return "in_progress", None
    expired = any(row.state is JobState.EXPIRED for row in rows)
    return ("expired" if expired else "completed"), ended


def _counts(
    client: Client, record: BatchRecord, found: list[tuple[str, JobRow | None]], has_ended: bool
) -> dict[str, int]:
    """How many lines there are, are done, and have failed."""
    total, done, failed = record.requests, 0, 0
    for job_id, row in found:
        if row is None:
            result = _result(client, job_id)
            done, failed = done + len(result.outputs), failed + len(result.failures)
        else:
            done, failed = done + row.done, failed + row.failed
    if record.pictures == total or (done == record.pictures and total):
        completed = total if done == record.pictures else done
    elif has_ended and record.jobs:
        lines = list(batch_lines(client, record))
        completed = sum(line.is_done for line in lines)
        failed = sum(line.failure is not None for line in lines)
    else:  # a line has several pictures: what is done is about this many lines
        completed = done * total // max(1, record.pictures)
        failed = failed * total // max(1, record.pictures)
    return {"total": total, "completed": completed, "failed": failed}


def _result(client: Client, job_id: str) -> Result:
    """What the store has of a job whose record has expired; nothing if somebody removed it."""
    try:
        return JobHandle(client, job_id).result
    except NotFound:
        return Result(job_id, (), ())


def _job(job_id: str, row: JobRow | None) -> dict[str, Any]:
    path = f"/v1/jobs/{job_id}"
    members: dict[str, Any] = {"id": job_id, "links": {"self": path, "results": f"{path}/results"}}
    if row is not None:
        for name in ("state", "lane", "units", "done", "failed"):
            members[name] = getattr(row, name)
        members["links"]["events"] = f"{path}/events"
    return members


def _errors(record: BatchRecord) -> dict[str, Any]:
    return {
        "object": "list",
        "data": [fault.model_dump() for fault in record.faults],
        "more": record.more_faults,
    }


def _warnings(found: Any) -> list[dict[str, Any]]:
    return [{"message": text, "pictures": count} for text, count in found.items()]


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def plan_json(client: Client, user: str, batch: BatchPlan) -> dict[str, Any]:
    """What a batch would become; blocks its thread."""
    plan = batch.plan
    return {
        "object": "batch.plan",
        "is_valid": not batch.faults,
        "lines": batch.lines,
        "pictures": plan.count,
        "megapixel_steps": round(plan.cost, 3),
        "lanes": [
            _lane(client, user, str(group.lane), group.priority, len(group.items), group.cost)
            for group in plan.groups.values()
        ],
        "warnings": _warnings(plan.warnings),
        "errors": [fault.model_dump() for fault in batch.faults],
        "more_errors": batch.more_faults,
    }


def _lane(
    client: Client, user: str, lane: str, priority: str, pictures: int, cost: float
) -> dict[str, Any]:
    """The cost of the pictures of one lane, and when they would be done."""
    work = Work(lane, PRIORITIES.index(priority), pictures, cost / pictures)
    found = client.estimate_new(work, user)
    return {
        "lane": lane,
        "priority": priority,
        "pictures": pictures,
        "megapixel_steps": round(cost, 3),
        "seconds": _rounded(found.draws_s),
        "done_in_s": _rounded(found.ends_in_s),
        "pictures_before": found.ahead,
        "impossible": client.why_impossible(lane),
    }
