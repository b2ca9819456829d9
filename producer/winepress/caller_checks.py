"""Checks of the arguments that a program passes to the client."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TypeVar

from winepress_shared.errors import InvalidJob, NotFound, WrongUsage
from winepress_shared.job_id import ID_FORM, ID_PATTERN
from winepress_shared.jobs.job import Job, Priority
from winepress_shared.state import JobState
from winepress_shared.stores.base import MAX_URL_S
from winepress_shared.window import Window

Name = TypeVar("Name", bound=StrEnum)

MOST_LISTED = 100_000  #: jobs of one `Client.list`
_JOB_ID = re.compile(ID_PATTERN)


def check_job(job: Job) -> Job:
    """``job`` itself; raises InvalidJob if it is not a Job, for example a dict of fields."""
    if not isinstance(job, Job):
        raise InvalidJob(
            "not a job",
            field="job",
            value=_shown(job),
            allowed=", ".join(kind.__name__ for kind in Job.kinds.values() if not kind.has_items),
            hint='for example TextToImage(prompt="a red apple")',
        )
    return job


def check_job_id(job_id: str) -> str:
    """``job_id`` itself; raises NotFound if it cannot be the id of a job."""
    if not isinstance(job_id, str) or not _JOB_ID.fullmatch(job_id):
        raise NotFound(
            "not the id of a job",
            field="job_id",
            value=_shown(job_id),
            allowed=ID_FORM,
            hint="`winepress list` shows the ids of the newest jobs",
        )
    return job_id


def check_limit(limit: int) -> int:
    """``limit`` itself; raises WrongUsage unless it is 1 to `MOST_LISTED`."""
    if not isinstance(limit, int) or not 1 <= limit <= MOST_LISTED:
        raise WrongUsage(
            "not a number of jobs",
            field="limit",
            value=_shown(limit),
            allowed=f"1 to {MOST_LISTED}",
        )
    return limit


def check_priority(priority: Priority | str) -> Priority:
    """The priority of this name; raises WrongUsage if there is none."""
    return _one_of(Priority, priority, "priority")


def check_state(state: JobState | str | None) -> JobState | None:
    """The state of this name, or None for None; raises WrongUsage if there is none."""
    return None if state is None else _one_of(JobState, state, "state")


def check_window(window: Window | str | None) -> Window | None:
    """A Window, which may be given as text like ``22:00-06:00`` in local time.

    Raises WrongUsage for any other text.
    """
    return window if window is None or isinstance(window, Window) else Window.parse(str(window))


def check_timeout(timeout: float | None) -> float | None:
    """``timeout`` itself, in seconds; raises WrongUsage unless it is None, or 0 or more."""
    # Also false for NaN.
    if timeout is not None and not (isinstance(timeout, int | float) and timeout >= 0):
        raise WrongUsage(
            "not a timeout", field="timeout", value=timeout, allowed="0 or more seconds"
        )
    return timeout


def check_link_life(expires_s: int) -> int:
    """``expires_s`` as a whole number; raises WrongUsage unless it is 1 second to 7 days."""
    if not isinstance(expires_s, int | float) or not 1 <= expires_s <= MAX_URL_S:
        raise WrongUsage(
            "not a lifetime of a link",
            field="expires_s",
            value=_shown(expires_s),
            allowed=f"1 second to 7 days ({MAX_URL_S} seconds)",
            hint="call `urls` again for new links",
        )
    return int(expires_s)


def _one_of(names: type[Name], name: object, field: str) -> Name:
    try:
        return names(str(name))
    except ValueError:
        raise WrongUsage(
            f"no such {field}", field=field, value=_shown(name), allowed=", ".join(names)
        ) from None


def _shown(value: object) -> object:
    return "None" if value is None else value  # an error with the value None would show no value
