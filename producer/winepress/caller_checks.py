"""What a program hands to a client, refused with a sentence when it is something else."""

from __future__ import annotations

import re

from winepress_shared.errors import InvalidJob, NotFound, WrongUsage
from winepress_shared.job import Job

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


def _shown(value: object) -> object:
    return "None" if value is None else value  # an error without a value shows none
