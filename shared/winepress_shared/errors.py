"""Every error of Winepress; the type, not the text, decides what the worker does.

::

    WinepressError
    ├── Refused                  the job never enters the queue            exit code 4
    │   ├── InvalidJob           a field is missing, unknown or out of bounds
    │   ├── UnknownModel         no such model, or not in that precision
    │   ├── QueueFull            the farm is at its limit of units
    │   └── Conflict             the idempotency key or the state forbids it
    ├── WrongUsage               the command line or the configuration     exit code 2
    ├── NotFound                 no such job (it never existed or expired) exit code 4
    ├── DamagedRecord            the broker's record of a job is damaged   exit code 1
    ├── FarmUnreachable          broker or store cannot be used            exit code 3
    │   ├── BrokerUnreachable
    │   └── StoreUnreachable
    │       ├── StoreRefused     wrong credentials, missing bucket
    │       │   └── AccessRefused    only this process: its keys, proxy or certificates
    │       ├── ObjectMissing    the key does not exist
    │       └── ObjectTooLarge   the object exceeds its reader's limit
    ├── JobFailed                what `wait` raises for a job that failed  exit code 1
    │   ├── JobCanceled
    │   └── JobExpired
    ├── RenderFault              an attempt went wrong on a worker
    │   ├── RetryElsewhere       count the attempt, render it again        → retry
    │   │   └── BadOutput        what was drawn is no picture              → retry once
    │   ├── FailForGood          this unit can never succeed               → fail
    │   │   └── LaterVersion     of a job: for workers of that version     → leave the job
    │   ├── EnvironmentFault     this worker's environment; none counted   → leave the lane
    │   │   └── DiskFull         tried again once there is space
    │   └── WorkerBroken         this process must not continue            → restart
    └── Stopped                  not a fault: the slice ends early         → release
        ├── LeaseLost            the slice has another holder now
        ├── CancelRequested      the user canceled the job
        └── YieldRequested       pause or drain: give the rest back
"""

from __future__ import annotations

from typing import ClassVar


class WinepressError(Exception):
    """Base of all errors: the problem, the value, what is allowed, and what to do next."""

    #: Process exit code of the command line.
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        problem: str,
        *,
        field: str | None = None,
        value: object = None,
        allowed: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.problem = problem
        self.field = field
        self.value = value
        self.allowed = allowed
        self.hint = hint
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One line of text for users; never contains a secret."""
        text = short(self.problem, _PROBLEM_CHARACTERS)
        if self.field:
            text = f"{short(self.field)}: {text}"
        if self.value is not None:
            text += f" (got {_short(self.value)})"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.hint:
            text += f". {self.hint[:1].upper()}{self.hint[1:]}"
        return text

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by state: exceptions with keyword-only arguments do not pickle by default."""
        return (_rebuild, (type(self), self.__dict__.copy()))


#: Longest value echoed back in a message, in characters.
_ECHO_CHARACTERS = 80
_PROBLEM_CHARACTERS = 2000  #: of a problem, which may quote another program's


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python does not print integers of more than 4300 digits
        text = f"an unprintable {type(value).__name__}"
    return short(text)


def short(text: str, most: int = _ECHO_CHARACTERS) -> str:
    """A text from outside as a message shows it: names of fields, too, can be of any length."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _rebuild(kind: type[WinepressError], state: dict[str, object]) -> WinepressError:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    Exception.__init__(error, error.message)
    return error


class Refused(WinepressError):
    """The job was refused before anything was queued."""

    exit_code = 4


class InvalidJob(Refused):
    """A field of the job is missing, unknown or out of bounds."""


class UnknownModel(Refused):
    """The model is not in the catalogue, or not in that precision."""


class QueueFull(Refused):
    """The farm or the user has reached the limit of waiting units."""


class Conflict(Refused):
    """The idempotency key belongs to another job, or the job's state forbids the request."""


class WrongUsage(WinepressError):
    """The command line or the configuration is wrong."""

    exit_code = 2


class NotFound(WinepressError):
    """The job never existed, or its record has expired."""

    exit_code = 4


class DamagedRecord(WinepressError):
    """The broker's record of a job is damaged; other jobs are not affected."""


class FarmUnreachable(WinepressError):
    """The broker or the store cannot be used."""

    exit_code = 3


class BrokerUnreachable(FarmUnreachable):
    """Redis does not answer, or refuses the credentials."""


class StoreUnreachable(FarmUnreachable):
    """The object store does not answer."""


class StoreRefused(StoreUnreachable):
    """The object store answers, but refuses: wrong credentials or missing bucket."""


class AccessRefused(StoreRefused):
    """This process cannot use the store.

    Its key, proxy or trusted certificates are at fault, or a limit of its own: memory, open files.
    """


class ObjectMissing(StoreUnreachable):
    """The store has no object under this key."""


class ObjectTooLarge(StoreUnreachable):
    """The object exceeds its reader's limit; nothing of it was read."""


class JobFailed(WinepressError):
    """The job ended without all of its pictures."""


class JobCanceled(JobFailed):
    """The job was canceled."""


class JobExpired(JobFailed):
    """The job was not finished before its deadline."""


class RenderFault(WinepressError):
    """An attempt to render went wrong on a worker."""


class RetryElsewhere(RenderFault):
    """This attempt failed; it counts, and the unit is rendered again (elsewhere if possible)."""


class BadOutput(RetryElsewhere):
    """What was drawn is no picture: NaN, all one colour, an empty file.

    It is drawn once more, by another worker if there is one: the device was at fault then, or else
    the job is.
    """

    most_attempts: ClassVar[int] = 2


class FailForGood(RenderFault):
    """This unit can never succeed; it is not tried again."""


class LaterVersion(FailForGood):
    """A later version of Winepress has written this; who reads a job for itself leaves it to that.

    No attempt is counted: while a farm is upgraded, workers of both versions serve it.
    """


class EnvironmentFault(RenderFault):
    """This worker's environment cannot serve the lane: too little memory, or a missing model.

    No attempt is counted, and the worker leaves the lane to others until its environment changes;
    but if it serves other jobs of the lane meanwhile, the fault counts against the job.
    """


class DiskFull(EnvironmentFault):
    """A disk of this worker is full."""


class WorkerBroken(RenderFault):
    """This process is broken and must be replaced."""


class Stopped(WinepressError):
    """Not a fault: the slice ends before its last unit."""


class LeaseLost(Stopped):
    """Another holder has the lease of this slice; the output is discarded."""


class CancelRequested(Stopped):
    """The user canceled the job."""


class YieldRequested(Stopped):
    """Pause or drain: the rest of the slice is given back without counting an attempt."""
