"""The options of a submission: the user, the deadline, and when to work on the job."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace

from winepress.meter import Meter
from winepress_shared.archive import JobRecord, new_job_id
from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.job import Job
from winepress_shared.lane import Lane
from winepress_shared.settings import USER_PATTERN
from winepress_shared.webhook import Webhook
from winepress_shared.window import Window

MAX_EXPIRY_S = 3650 * 86_400  #: longest deadline or latest start of a job, in seconds from now
_KEY = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True)
class SubmitOptions:
    """The options of a submission; raises InvalidJob for an invalid one."""

    user: str
    idempotency_key: str | None = None
    expires_in: float | None = None  #: seconds from now
    start_in: float | None = None  #: seconds from now; None is at once
    window: Window | None = None  #: part of the day; None is always
    meter: Meter | None = None  #: counts the jobs against somebody's limits
    webhook: Webhook | None = None

    def __post_init__(self) -> None:
        if not _matches(USER_PATTERN, self.user) or self.user.endswith("\n"):
            raise InvalidJob(
                "not a user name",
                field="user",
                value=self.user,
                allowed="1 to 64 letters, digits and ._@-",
            )
        if self.idempotency_key is not None and not _matches(_KEY, self.idempotency_key):
            raise InvalidJob(
                "not an idempotency key",
                field="idempotency_key",
                value=self.idempotency_key,
                allowed="1 to 255 printable ASCII characters without spaces",
            )
        _check_seconds("expires_in", self.expires_in)
        _check_seconds("start_in", self.start_in)
        if self.expires_in is not None and self.expires_in <= (self.start_in or 0):
            raise InvalidJob("the deadline is before the earliest start", field="expires_in")

    def record(
        self,
        job: Job,
        lane: Lane,
        digest: str,
        cost: float | None = None,
        warnings: tuple[str, ...] = (),
    ) -> JobRecord:
        """The record of a new job of ``lane`` with these options; for ``cost`` see `JobRecord`."""
        now = time.time()
        return JobRecord(
            id=new_job_id(),
            job=job,
            lane=lane,
            user=self.user,
            digest=digest,
            idempotency_key=self.idempotency_key or "",
            expires=None if self.expires_in is None else now + self.expires_in,
            starts=None if self.start_in is None else now + self.start_in,
            window=self.window,
            cost=cost,
            warnings=warnings,
            webhook=self.webhook,
        )

    def numbered(self, number: int) -> SubmitOptions:
        """The options of job ``number`` of several that share one idempotency key."""
        key = self.idempotency_key
        return replace(self, idempotency_key=key if key is None else f"{key[:240]}.{number}")


def _matches(pattern: str | re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(pattern, text) is not None


def _check_seconds(field: str, seconds: float | None) -> None:
    if seconds is None:
        return
    if not isinstance(seconds, int | float) or not 0.001 <= seconds <= MAX_EXPIRY_S:
        raise InvalidJob(
            "not a deadline" if field == "expires_in" else "not a start time",
            field=field,
            value=seconds,
            allowed=f"0.001 to {MAX_EXPIRY_S} seconds",
        )
