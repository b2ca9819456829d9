"""Builds diffusers' scheduler for a job from the model's own settings."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers

from winepress_shared.errors import EnvironmentFault, FailForGood
from winepress_shared.jobs.job import Job
from winepress_shared.jobs.schedulers import SCHEDULERS, SCHEDULES, find_scheduler
from winepress_worker.models.content import SCHEDULER_FILE, read_settings

_MOST_TIMESTEPS = 10_000  #: most training timesteps; all known models have 1000
_TIMESTEPS = "num_train_timesteps"
_WORD = re.compile(r"[A-Za-z0-9_+.-]{1,64}\Z")


def own_scheduler(folder: Path) -> Any:
    """The scheduler that the prepared model in ``folder`` names.

    Raises EnvironmentFault for a class that is not in the table, and for invalid settings.
    """
    given = read_settings(folder, SCHEDULER_FILE)
    name = given.get("_class_name")
    if name not in {entry.cls for entry in SCHEDULERS}:
        raise EnvironmentFault(
            "the model names a scheduler that is not supported", value=name, hint=f"see {folder}"
        )
    settings = {key: value for key, value in given.items() if not key.startswith("_")}
    for key, value in settings.items():
        if not _is_setting(key, value):
            raise EnvironmentFault(
                "a setting of the model's scheduler is invalid", field=key, value=value
            )
    return getattr(diffusers, name).from_config(settings)


def _is_setting(key: str, value: object) -> bool:
    """Whether ``value`` is a number, string, boolean, None, or list of numbers."""
    if isinstance(value, list):
        return len(value) <= _MOST_TIMESTEPS and all(_is_number(one) for one in value)
    if key == _TIMESTEPS:
        return type(value) is int and 1 <= value <= _MOST_TIMESTEPS
    is_word = isinstance(value, str) and _WORD.match(value) is not None
    return value is None or isinstance(value, bool) or is_word or _is_number(value)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= 2**53 or value == -math.inf  # diffusers' own "no lower bound"


def make_scheduler(config: Mapping[str, Any], job: Job) -> Any:
    """A new scheduler with exactly the job's settings; raises FailForGood if it lacks one.

    ``config`` is the model's own; settings never come from another job's scheduler.
    """
    entry, schedule = find_scheduler(job.scheduler or "")
    settings: dict[str, Any] = dict(entry.settings)
    if schedule:
        settings |= {flag: flag == schedule for flag in SCHEDULES.values() if flag}
    scheduler = getattr(diffusers, entry.cls).from_config(config, **settings)
    for name, value in settings.items():
        if value and scheduler.config.get(name) != value:
            raise FailForGood(
                f"{entry.cls} does not support this", field="scheduler", value=job.scheduler
            )
    return scheduler
