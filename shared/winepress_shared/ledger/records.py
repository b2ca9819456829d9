"""What the ledger hands out: plain frozen values."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from winepress_shared.archive import JobRecord
from winepress_shared.cost import megapixel_steps
from winepress_shared.errors import DamagedRecord, NotFound
from winepress_shared.jobs.job import Priority
from winepress_shared.lane import model_key
from winepress_shared.state import JobState
from winepress_shared.window import Window

BANDS = (Priority.INTERACTIVE, Priority.NORMAL, Priority.BULK)  #: in the order of service


class Order(StrEnum):
    """What a worker should do with a slice it holds."""

    OK = "ok"
    CANCEL = "cancel"  #: the job is over; stop and discard
    CALLED = "called"  #: begun; a better band waits in another lane of the worker
    YIELD = "yield"  #: the job is paused; stop at the next unit and give the rest back
    GIVE_WAY = "give-way"  #: the same, for a better band waits in the lane
    LOST = "lost"  #: somebody else owns the slice; stop and discard


class UnitOutcome(StrEnum):
    """What became of a unit that was committed or failed."""

    OK = "ok"  #: counted
    MOVED = "moved"  #: counted; what is left of the job waits in another lane
    RETRY = "retry"  #: will be handed out again
    FAILED = "failed"  #: ended without an object
    LAST = "last"  #: every unit has ended: write the result, then `finish`
    LOST = "lost"
    CANCEL = "cancel"


@dataclass(frozen=True)
class Submission:
    """What the ledger needs to know of a new job."""

    id: str
    kind: str
    lane: str
    user: str
    band: int  #: index into `BANDS`
    units: int
    digest: str  #: of the job as asked for; the same idempotency key must bring the same digest
    chained: bool = False
    idempotency_key: str = ""
    expires_in_ms: int = 0  #: 0 is never
    starts_in_ms: int = 0  #: 0 is now
    window: Window | None = None
    max_failed: int | None = None
    cost: float = 0.0  #: megapixel-steps of a unit
    last_lane: str | None = None  #: of the last unit, where that is another one
    together: int = 1  #: units drawn in one call; slices are multiples of it where they can be

    @property
    def row(self) -> tuple[str | int, ...]:
        """Names and values of what goes into the job's hash as it is."""
        texts = {"kind": self.kind, "lane": self.lane, "user": self.user}
        texts["cost"] = f"{self.cost:.6g}"
        if self.last_lane is not None:
            texts["last_lane"] = self.last_lane
        numbers = {"band": self.band, "units": self.units, "chained": int(self.chained)}
        numbers |= asdict(self.window) if self.window else {}
        if self.max_failed is not None:
            numbers["max_failed"] = self.max_failed
        if self.together > 1:
            numbers["together"] = self.together
        return tuple(part for pair in (texts | numbers).items() for part in pair)

    @classmethod
    def of(cls, record: JobRecord) -> Submission:
        """A job that the store holds; its times count from now on."""
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
            band=BANDS.index(record.job.priority),
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
            cost=megapixel_steps(record.job) if record.cost is None else record.cost,
        )


class Entry(NamedTuple):
    """What became of a job that was submitted."""

    id: str  #: an earlier one's where its idempotency key was known
    is_new: bool
    tickets: int  #: its lane can use so many more, see `ticket_policy`


@dataclass(frozen=True)
class Slice:
    """Units handed out by one claim, and the fence that proves who may render them."""

    fence: int
    job_id: str
    units: tuple[int, ...]
    finish: bool  #: no units left: only the job's result is to be written
    attempts: int  #: how often the first unit was begun before
    waiting: int  #: units of the lane that are left for others
    tickets: int  #: tickets of the lane that are still queued
    band: int = 0  #: of the job; index into `BANDS`
    begun: bool = False  #: the first unit was started with the claim
    lane: str = ""  #: where it waited; not that of the request where an earlier one is answered
    job_units: int = 0  #: of the whole job

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Slice:
        """Read the answer of ``claim.lua``."""
        named = answer | {
            "units": expand(answer["units"]),
            "finish": bool(answer["finish"]),
        }
        return cls(job_id=named.pop("id"), **named)


@dataclass(frozen=True)
class Lease:
    """One slice a worker holds, as its beat sees it."""

    fence: int
    order: Order
    unit: int | None  #: in hand; None before the first one
    steps: int  #: of the unit in hand; 0 before its first step, and after its last
    idle_ms: int  #: since the last step was reported
    lane: str

    @classmethod
    def of(cls, row: list[Any]) -> Lease:
        """Read a row of the answer of ``beat.lua``."""
        fence, order, unit, steps, idle, lane = row
        return cls(fence, Order(order), int(unit) if unit else None, int(steps), int(idle), lane)


@dataclass(frozen=True)
class HeartbeatReply:
    """What a beat brings back."""

    leases: tuple[Lease, ...]
    renderer: dict[str, Any]  #: what the rendering process says of itself


@dataclass(frozen=True)
class JobRow:
    """One job as the ledger knows it; times are Unix seconds by the server's clock."""

    id: str
    state: JobState
    kind: str
    lane: str
    user: str
    priority: Priority
    units: int
    done: int
    failed: int
    created: float
    started: float | None
    finished: float | None
    expires: float | None
    paused: bool
    reason: str
    starts: float | None = None  #: not to be begun before
    window: Window | None = None
    cost: float = 0.0  #: megapixel-steps of a unit
    last_lane: str | None = None  #: of the last unit, where that is another one

    @classmethod
    def from_hash(cls, job_id: str, row: dict[str, str]) -> JobRow:
        """Read a ``job:ID`` hash; raises DamagedRecord for what makes no sense."""
        try:
            return cls._read(job_id, row)
        except (KeyError, ValueError, IndexError, OverflowError) as error:
            raise DamagedRecord(
                f"the broker's record of this job is damaged: {error}",
                value=job_id,
                hint=f"DEL FARM:job:{job_id} takes it out; `winepress recover` enters it again",
            ) from None

    @classmethod
    def _read(cls, job_id: str, row: dict[str, str]) -> JobRow:
        def moment(name: str) -> float | None:
            return int(row[name]) / 1000 if int(row[name]) else None

        return cls(
            id=job_id,
            state=JobState(row["state"]),
            kind=row["kind"],
            lane=row["lane"],
            user=row["user"],
            priority=BANDS[int(row["band"])],
            units=max(int(row["units"]), 1),
            done=int(row["done"]),
            failed=int(row["failed"]),
            created=int(row["created"]) / 1000,
            started=moment("started"),
            finished=moment("finished"),
            expires=moment("expires"),
            paused=row["paused"] == "1",
            reason=row["reason"],
            starts=moment("starts") if "starts" in row else None,
            window=Window(int(row["opens"]), int(row["closes"])) if "opens" in row else None,
            cost=float(row.get("cost", 0)),
            last_lane=row.get("last_lane"),
        )


@dataclass(frozen=True)
class Worker:
    """A live worker: its own description, and when it last beat."""

    name: str
    seen: float  #: Unix seconds
    facts: dict[str, Any]  #: of its parent process: device, lanes, host, pid, version
    renderer: dict[str, Any]  #: of its rendering process: warm models, pace, footprint

    def serves(self, lane: str) -> bool:
        """Whether it takes work of ``lane`` now."""
        return lane in self.facts.get("lanes", ()) and model_key(lane) not in self.unfit

    @property
    def unfit(self) -> dict[str, str]:
        """Model, with its precision → why this worker's surroundings keep it from serving it."""
        return dict(self.renderer.get("unfit", {}))

    @property
    def too_large(self) -> dict[str, int]:
        """Model, with its precision → bytes it needs, which are more than this worker may use."""
        return dict(self.facts.get("too_large", {}))


def unknown_job(job_id: str) -> NotFound:
    """The ledger has no such job."""
    return NotFound(
        "no such job, or its record has expired",
        value=job_id,
        hint="`winepress list` shows the newest; `winepress recover` enters lost ones again",
    )


def read_jobs(
    ids: Sequence[str], rows: Sequence[dict[str, str]]
) -> Iterator[JobRow | DamagedRecord]:
    """The records of jobs, or what is wrong with them; those that are gone by now are left out."""
    for job_id, row in zip(ids, rows, strict=True):
        try:
            if row:
                yield JobRow.from_hash(job_id, row)
        except DamagedRecord as error:
            yield error


def expand(units: str) -> tuple[int, ...]:
    """Read unit ranges: ``"3-5,9"`` is (3, 4, 5, 9)."""
    found: list[int] = []
    for part in filter(None, units.split(",")):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return tuple(found)
