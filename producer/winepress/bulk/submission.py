"""Submission of a plan: one job per lane and priority, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from winepress.bulk.plan import Group, Plan
from winepress.handle import JobHandle
from winepress.submission import submit_with, write_all
from winepress.submit_options import SubmitOptions
from winepress_shared.archive import JobRecord
from winepress_shared.items import write_items
from winepress_shared.jobs.job import MAX_PROMPT_CHARACTERS, Batch

if TYPE_CHECKING:
    from winepress.connections import Connections


def submit_plan(
    connections: Connections,
    plan: Plan,
    submit_options: SubmitOptions,
    *,
    title: str = "batch",
    max_failed: int | None = None,
) -> Sequence[JobHandle]:
    """Queue every picture of ``plan``; a lane with too many pictures for one job gets several.

    The idempotency key of each job is the given key and the number of the job. Raises InvalidJob,
    QueueFull or Conflict, and then nothing is queued.
    """
    plan.check_any()
    portions = [(group, items) for group in plan.groups.values() for items in group.jobs()]
    records = [
        submit_options.numbered(number).record(
            _batch(group, len(items), title, max_failed),
            group.lane,
            f"{group.asked.hexdigest()[:24]}{number:08d}",
            group.cost / len(group.items),
        )
        for number, (group, items) in enumerate(portions)
    ]
    items_of = {record.id: items for record, (_, items) in zip(records, portions, strict=True)}

    def write_parts(new: Sequence[JobRecord]) -> None:
        if new:
            write_all(connections.archive.write_input, plan.inputs)
        for record in new:
            write_items(connections.archive, record.id, items_of[record.id])

    ids = submit_with(connections, records, submit_options, write_parts)
    return [
        JobHandle(connections, job_id, record.warnings)
        for job_id, record in zip(ids, records, strict=True)
    ]


def _batch(group: Group, count: int, title: str, max_failed: int | None) -> Batch:
    values = asdict(group.lane) | {"priority": group.priority, "n": count, "max_failed": max_failed}
    if group.together > 1:
        values["pictures_per_call"] = group.together
    return Batch(prompt=title[:MAX_PROMPT_CHARACTERS] or "batch", **values)
