"""Errors as HTTP tells them: one status and one stable code for each class of the error tree."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from winepress.gateway.refusals import RequestRefused
from winepress_shared.errors import (
    BrokerUnreachable,
    Conflict,
    DamagedRecord,
    FarmUnreachable,
    InvalidJob,
    JobCanceled,
    JobExpired,
    JobFailed,
    NotFound,
    QueueFull,
    StoreRefused,
    UnknownModel,
    WinepressError,
    WrongUsage,
)

_OUTAGE_RETRY_S = 5.0  #: a broker or store that restarts needs seconds
_FULL_RETRY_S = 30.0  #: a full queue needs a few pictures
#: Class → status, stable code, seconds after which another try may succeed. The first match counts.
_STATUSES: tuple[tuple[type[WinepressError], int, str, float | None], ...] = (
    (InvalidJob, 422, "invalid-job", None),
    (UnknownModel, 422, "unknown-model", None),
    (QueueFull, 429, "queue-full", _FULL_RETRY_S),
    (Conflict, 409, "conflict", None),
    (WrongUsage, 422, "invalid-value", None),
    (NotFound, 404, "not-found", None),
    (DamagedRecord, 500, "damaged-record", None),
    (StoreRefused, 503, "store-refused", _OUTAGE_RETRY_S),
    (FarmUnreachable, 503, "farm-unreachable", _OUTAGE_RETRY_S),
    (JobCanceled, 409, "job-canceled", None),
    (JobExpired, 409, "job-expired", None),
    (JobFailed, 500, "job-failed", None),
    (WinepressError, 500, "error", None),
)


@dataclass(frozen=True)
class Problem:
    """What went wrong with a request, for every dialect to write in its own form."""

    status: int  #: of HTTP
    code: str  #: stable; programs may compare it
    message: str  #: one line; what is wrong, the value, what is allowed, what to do next
    field: str | None = None  #: that is wrong
    retry_after_s: float | None = None  #: after which another try may succeed

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer."""
        headers = {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, ceil(self.retry_after_s)))
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="winepress"'
        return headers

    def document(self) -> dict[str, Any]:
        """The members of ``application/problem+json`` (RFC 9457)."""
        members: dict[str, Any] = {
            "type": "about:blank",
            "title": self.code.replace("-", " "),
            "status": self.status,
            "code": self.code,
            "detail": self.message,
        }
        if self.field is not None:
            members["field"] = self.field
        return members


def problem_of(error: WinepressError) -> Problem:
    """The problem that an error is for the caller of the gateway."""
    if isinstance(error, RequestRefused):
        told = _message_of(error)
        return Problem(error.status, error.code, told, error.field, error.retry_after_s)
    _, status, code, retry_s = next(row for row in _STATUSES if isinstance(error, row[0]))
    return Problem(status, code, _message_of(error), error.field, retry_s)


def _message_of(error: WinepressError) -> str:
    """What the caller is told: not the farm's inner addresses, nor an operator's commands."""
    if isinstance(error, BrokerUnreachable):
        return "the farm's broker does not answer; try again in some seconds"
    if isinstance(error, StoreRefused):
        return "the farm's store refuses the gateway; its operator must look"
    if isinstance(error, FarmUnreachable):
        return "the farm's store does not answer; try again in some seconds"
    hint = None if "`winepress" in (error.hint or "") else error.hint
    return WinepressError(
        error.problem, field=error.field, value=error.value, allowed=error.allowed, hint=hint
    ).message
