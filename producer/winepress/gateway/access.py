"""Who asks: the caller of a request, and what it may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from winepress_shared.ledger.records import JobRow


class Scope(StrEnum):
    """A right that a key gives."""

    SUBMIT = "submit"  #: submit jobs, and control one's own
    READ_OWN = "read-own"  #: see one's own jobs
    READ_ALL = "read-all"  #: see every job
    OPERATE = "operate"  #: control every job


class OfUser(Protocol):
    """A job, in the ledger or in the store."""

    @property
    def user(self) -> str:
        """Whose job it is."""


@dataclass(frozen=True)
class KeyLimits:
    """What may be done with one key; None is no limit."""

    rate: int | None = None  #: requests in a minute
    queue: int | None = None  #: units that have not ended
    megapixel_steps: float | None = None  #: in a day of UTC


@dataclass(frozen=True)
class Caller:
    """The caller of one request."""

    user: str  #: whose jobs these are; a user after the "@" of a job is one of this caller's own
    scopes: frozenset[Scope]
    models: frozenset[str] | None = None  #: that may be asked for; None is all
    key_id: str = ""  #: of the key that was shown; empty where none is needed
    limits: KeyLimits = KeyLimits()

    def may(self, scope: Scope) -> bool:
        """Whether the caller has this right."""
        return scope in self.scopes

    @property
    def may_look(self) -> bool:
        """Whether the caller may see any job."""
        return self.may(Scope.READ_OWN) or self.may(Scope.READ_ALL)

    def owns(self, job: OfUser) -> bool:
        """Whether this is a job of the caller."""
        return self.is_user(job.user)

    def is_user(self, user: str) -> bool:
        """Whether a user is the caller, or one of the caller's own."""
        return user == self.user or user.startswith(f"{self.user}@")

    def may_read(self, job: OfUser) -> bool:
        """Whether the caller may see a job."""
        own = self.may(Scope.READ_OWN) and self.owns(job)
        return own or self.may(Scope.READ_ALL)

    def may_control(self, row: JobRow) -> bool:
        """Whether the caller may cancel, pause, or move a job."""
        return (self.may(Scope.SUBMIT) and self.owns(row)) or self.may(Scope.OPERATE)
