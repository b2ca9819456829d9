"""Diffusers' scheduler for a job, built from the model's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import diffusers

from winepress_shared.errors import FailForGood
from winepress_shared.job import Job
from winepress_shared.schedulers import SCHEDULES, find_scheduler


def make_scheduler(config: Mapping[str, Any], job: Job) -> Any:
    """A fresh scheduler with exactly the asked settings; raises FailForGood if it has none.

    ``config`` is the model's own: settings are never taken from another job's scheduler.
    """
    entry, schedule = find_scheduler(job.scheduler or "")
    settings: dict[str, Any] = dict(entry.settings)
    if schedule:
        settings |= {flag: flag == schedule for flag in SCHEDULES.values() if flag}
    scheduler = getattr(diffusers, entry.cls).from_config(config, **settings)
    for name, value in settings.items():
        if value and scheduler.config.get(name) != value:
            raise FailForGood(f"{entry.cls} cannot do this", field="scheduler", value=job.scheduler)
    return scheduler
