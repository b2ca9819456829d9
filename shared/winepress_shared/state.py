"""The states of a job and the legal moves between them.

::

    queued ──claim──> running ──last commit──> succeeded | failed
      │  ▲               │
      │  └──release──────┤            (drain, pause, expiry of every lease)
      │                  │
      ├──cancel──────────┴──────────> canceled
      └──deadline───────────────────> expired
    failed | canceled | expired ──retry──> queued
"""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """The state of a job."""

    QUEUED = "queued"  #: accepted; no unit is being rendered
    RUNNING = "running"  #: at least one slice has been given out
    SUCCEEDED = "succeeded"  #: every unit's object exists and result.json lists it
    FAILED = "failed"  #: ended, but at least one unit has no object
    CANCELED = "canceled"  #: stopped on request; finished units are kept
    EXPIRED = "expired"  #: its deadline passed before it was finished

    @property
    def is_terminal(self) -> bool:
        """True when the job has ended; only a retry changes it."""
        return self not in (JobState.QUEUED, JobState.RUNNING)
