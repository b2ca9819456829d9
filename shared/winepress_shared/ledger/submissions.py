"""The values of a new job for the ledger, and its answer."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import NamedTuple

from winepress_shared.archive import JobRecord
from winepress_shared.cost import megapixel_steps
from winepress_shared.jobs.shared_call import kind_of_call
from winepress_shared.ledger.records import PRIORITIES
from winepress_shared.window import Window

IDEMPOTENCY_MS = 86_400_000  #: an idempotency key is kept this long


@dataclass(frozen=True)
class Submission:
    """The values of a new job for the ledger."""

    id: str
    kind: str
    lane: str
    user: str
    priority: int  #: index into `PRIORITIES`
    units: int
    digest: str  #: of the job as submitted; equal idempotency keys require equal digests
    chained: bool = False
    idempotency_key: str = ""
    expires_in_ms: int = 0  #: 0: never
    starts_in_ms: int = 0  #: 0: now
    window: Window | None = None
    max_failed: int | None = None
    cost: float = 0.0  #: megapixel-steps of a unit
    last_lane: str | None = None  #: lane of the last unit if it differs
    together: int = 1  #: units per call; slices are multiples of it if possible
    alike: str | None = None  #: equal for jobs whose units can share calls; None: with no other's
    hooks: tuple[str, ...] = ()  #: events that the job's webhook is told of
    traceparent: str = ""  #: of the span that submits it; empty: none

    @property
    def row(self) -> tuple[str | int, ...]:
        """Names and values of the job's hash fields."""
        texts = {"kind": self.kind, "lane": self.lane, "user": self.user}
        texts["cost"] = f"{self.cost:.6g}"
        if self.last_lane is not None:
            texts["last_lane"] = self.last_lane
        if self.alike is not None:
            texts["alike"] = self.alike
        if self.hooks:
            texts["hooks"] = ".".join(self.hooks)
        if self.traceparent:
            texts["traceparent"] = self.traceparent
        numbers = {"priority": self.priority, "units": self.units, "chained": int(self.chained)}
        numbers |= asdict(self.window) if self.window else {}
        if self.max_failed is not None:
            numbers["max_failed"] = self.max_failed
        if self.together > 1:
            numbers["together"] = self.together
        return tuple(text for pair in (texts | numbers).items() for text in pair)

    def arguments(self, queue_prefix: str, mode: str) -> tuple[str | int, ...]:
        """The arguments of ``submit.lua``, where ``mode`` is explained."""
        key = (self.idempotency_key, self.digest, IDEMPOTENCY_MS)
        times = (self.expires_in_ms, self.starts_in_ms)
        return (self.id, *key, *times, queue_prefix, mode, *self.row)

    @classmethod
    def of(cls, record: JobRecord) -> Submission:
        """The submission of a stored job; its times are relative to now."""
        left_ms = starts_in_ms = 0
        if record.expires is not None:
            left_ms = max(1, int((record.expires - time.time()) * 1000))
        if record.starts is not None:
            starts_in_ms = max(0, int((record.starts - time.time()) * 1000))
        return cls(
            id=record.id,
            kind=record.job.kind,
            lane=str(record.lane),
            user=record.user,
            priority=PRIORITIES.index(record.job.priority),
            units=record.job.unit_count,
            digest=record.digest,
            idempotency_key=record.idempotency_key,
            expires_in_ms=left_ms,
            starts_in_ms=starts_in_ms,
            window=record.window,
            max_failed=record.job.failure_limit,
            chained=record.job.is_chained,
            last_lane=record.job.last_lane,
            together=record.job.pictures_per_call or 1,
            alike=kind_of_call(record.job),
            cost=megapixel_steps(record.job) if record.cost is None else record.cost,
            hooks=record.webhook.events if record.webhook else (),
            traceparent=record.traceparent,
        )


class Entry(NamedTuple):
    """The result of submitting a job."""

    id: str  #: an earlier job's if the idempotency key was known
    is_new: bool
    tickets: int  #: further tickets its lane can use, see `ticket_policy`
