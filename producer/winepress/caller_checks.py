"""What a program hands to a client, refused with a sentence when it is something else."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TypeVar

from winepress_shared.errors import InvalidJob, NotFound, WrongUsage
from winepress_shared.jobs.job import Job, Priority
from winepress_shared.state import JobState
from winepress_shared.stores.base import MAX_URL_S
from winepress_shared.window import Window

Name = TypeVar("Name", bound=StrEnum)

MOST_LISTED = 100_000  #: jobs of one `Client.list`
_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def check_job(job: Job) -> Job:
    """``job`` itself; raises InvalidJob for what is none, like the fields of one in a dict."""
    if not isinstance(job, Job):
        raise InvalidJob(
            "not a job",
            field="job",
            value=_shown(job),
            allowed="a TextToImage, ImageToImage, Inpaint or ZoomVideo",
            hint='for example TextToImage(prompt="a red apple")',
        )
    return job


def check_job_id(job_id: str) -> str:
    """``job_id`` itself; raises NotFound for what cannot be one."""
    if not isinstance(job_id, str) or not _JOB_ID.fullmatch(job_id):
        raise NotFound(
            "not the id of a job",
            field="job_id",
            value=_shown(job_id),
            allowed="1 to 64 letters, digits, - and _",
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
    """The band of this name; raises WrongUsage."""
    return _one_of(Priority, priority, "priority")


def check_state(state: JobState | str | None) -> JobState | None:
    """The state of this name, or None; raises WrongUsage."""
    return None if state is None else _one_of(JobState, state, "state")


def check_window(window: Window | str | None) -> Window | None:
    """A part of the day, which may be written as ``22:00-06:00`` in local time.

    Raises WrongUsage.
    """
    return window if window is None or isinstance(window, Window) else Window.parse(str(window))


def check_timeout(timeout: float | None) -> float | None:
    """Seconds to wait, or None for ever; raises WrongUsage."""
    # NaN is not 0 or more either.
    if timeout is not None and not (isinstance(timeout, int | float) and timeout >= 0):
        raise WrongUsage(
            "not a time to wait", field="timeout", value=timeout, allowed="0 or more seconds"
        )
    return timeout


def check_link_life(expires_s: int) -> int:
    """``expires_s`` itself; raises WrongUsage unless a link may live that long, in seconds."""
    if not isinstance(expires_s, int | float) or not 1 <= expires_s <= MAX_URL_S:
        raise WrongUsage(
            "not a time for which a link can hold",
            field="expires_s",
            value=_shown(expires_s),
            allowed=f"1 second to 7 days ({MAX_URL_S} seconds)",
            hint="`urls` makes new links at any time",
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
    return "None" if value is None else value  # an error without a value shows none
