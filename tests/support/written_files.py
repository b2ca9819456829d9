"""Files of jobs and of items as tests write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from winepress.bulk.bulk_file import read_lines
from winepress.bulk.plan import Plan, PlanOptions
from winepress.job_files.job_file import read_job_file
from winepress_shared.catalogue import Catalogue
from winepress_shared.items import Item
from winepress_shared.jobs.job import Job, parse_job

CATALOGUE = Catalogue.load()


def written(folder: Path, name: str, values: object) -> Path:
    path = folder / name
    text = values if isinstance(values, bytes) else str(values).encode()
    path.write_bytes(json.dumps(values).encode() if isinstance(values, dict) else text)
    return path


def job_of(path: Path) -> Job:
    """The job that ``submit --file`` would queue."""
    return parse_job(read_job_file(path)[0])


def plan_of(path: Path, **options: Any) -> Plan:
    plan = Plan(CATALOGUE, PlanOptions(folder=path.parent, **options))
    plan.add(read_lines(path))
    return plan


def jobs_of(path: Path) -> list[Job]:
    groups = plan_of(path).groups.values()
    return [Item.decode(item).job for group in groups for item in group.items]
