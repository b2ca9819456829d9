"""The values that the ledger takes and returns: plain frozen records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from winepress_shared.cost import megapixel_steps
from winepress_shared.documents import read_facts
from winepress_shared.errors import Conflict, DamagedRecord, NotFound, WrongUsage, short
from winepress_shared.jobs.job import Priority
from winepress_shared.jobs.job_record import JobRecord
from winepress_shared.lane import model_key
from winepress_shared.state import JobState
from winepress_shared.window import Window

UNREAD = -2  #: for `Ledger.release`: no unit of it can be served, for the job cannot be read
BEAT_S = 5.0  #: time between two heartbeats of a worker
SILENT_S = 2 * BEAT_S + 1.0  #: a live worker beats once more within it
PRIORITIES = (Priority.INTERACTIVE, Priority.NORMAL, Priority.BULK)  #: in the order of service


class Directive(StrEnum):
    """What the holder of a slice should do with it."""

    OK = "ok"
    CANCEL = "cancel"  #: the job has ended; stop and discard
    CALLED = "called"  #: started; a higher priority waits in another lane of the worker
    YIELD = "yield"  #: the job is paused; stop at the next unit and give the rest back
    GIVE_WAY = "give-way"  #: the same, because a higher priority waits in the lane
    LOST = "lost"  #: the slice has another holder; stop and discard


class UnitOutcome(StrEnum):
    """The result of committing or failing a unit."""

    OK = "ok"  #: counted
    MOVED = "moved"  #: counted; the rest of the job waits in another lane
    RETRY = "retry"  #: will be tried again
    FAILED = "failed"  #: ended without an object
    LAST = "last"  #: every unit has ended: write the result, then `finish`
    LOST = "lost"
    CANCEL = "cancel"


@dataclass(frozen=True)
class Slice:
    """Units given out by one claim, with the fence that entitles the holder to render them."""

    fence: int
    job_id: str
    units: tuple[int, ...]
    finish: bool  #: no units left: only the job's result must be written
    attempts: int  #: earlier attempts of the first unit
    waiting: int  #: units of the lane left for others
    tickets: int  #: queued tickets of the lane
    priority: int = 0  #: of the job; index into `PRIORITIES`
    begun: bool = False  #: the claim started the first unit
    alone: bool = False  #: its only unit was started before, so nothing may be drawn beside it
    lane: str = ""  #: where it waited; not where asked, if an earlier request is answered
    job_units: int = 0  #: of the whole job
    watched: bool = False  #: somebody watches the steps of the job
    traceparent: str = ""  #: of the span to which its work belongs; empty: none
    waited_ms: int | None = None  #: until the first slice of a job with a trace was given out

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Slice:
        """Read an answer of ``claim.lua``."""
        flags = ("finish", "alone", "begun", "watched")
        named = answer | {name: bool(answer.get(name)) for name in flags}
        named["units"] = expand(answer["units"])
        return cls(job_id=named.pop("id"), **named)


@dataclass(frozen=True)
class Lease:
    """One slice a worker holds, as returned by a heartbeat."""

    fence: int
    directive: Directive
    unit: int | None  #: in progress; None before the first one
    steps: int  #: of the unit in progress; 0 before its first step and after its last
    idle_ms: int  #: since the last step was reported
    lane: str

    @classmethod
    def of(cls, row: list[Any]) -> Lease:
        """Read a row of the answer of ``beat.lua``."""
        fence, directive, at, steps, idle, lane = row
        unit = int(at) if at else None
        return cls(fence, Directive(directive), unit, int(steps), int(idle), lane)


@dataclass(frozen=True)
class StepReply:
    """The answer to a report of a step."""

    directive: Directive
    is_watched: bool  #: somebody watches the steps of the job

    @classmethod
    def of(cls, answer: list[Any]) -> StepReply:
        """Read an answer of ``progress.lua``."""
        directive, is_watched = answer
        return cls(Directive(directive), is_watched == 1)


@dataclass(frozen=True)
class HeartbeatReply:
    """The answer to a heartbeat."""

    leases: tuple[Lease, ...]
    renderer: dict[str, Any]  #: state of the rendering process
    is_shared: bool = False  #: that process has several units in hand
    is_sweep_due: bool = False  #: the last `Ledger.sweep` of the farm was long ago

    @classmethod
    def of(cls, worker: str, answer: list[Any] | None) -> HeartbeatReply:
        """Read the answer of ``beat.lua``; raises WrongUsage if ``worker`` has lost its name."""
        if answer is None:
            hint = "Give one of them another"
            raise WrongUsage(
                "another worker has taken this name", field="--name", value=worker, hint=hint
            )
        renderer, is_shared, is_sweep_due, *leases = answer
        told = (is_shared == 1, is_sweep_due == 1)
        return cls(tuple(map(Lease.of, leases)), read_facts(renderer), *told)


@dataclass(frozen=True)
class JobRow:
    """One job in the ledger; times are Unix seconds by the server's clock."""

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
    starts: float | None = None  #: earliest start
    window: Window | None = None
    cost: float = 0.0  #: megapixel-steps of a unit
    last_lane: str | None = None  #: lane of the last unit if it differs
    unread: bool = False  #: a worker could not read it, for a later version has written it
    pending: bool = False  #: its submission is not complete
    pinned: bool = False  #: it stays listed, and its objects stay, until it is unpinned

    @classmethod
    def of_new(cls, record: JobRecord, created: float) -> JobRow:
        """A job as it is when it has just been accepted, at the time ``created``."""
        return cls(
            id=record.id,
            state=JobState.QUEUED,
            kind=record.job.kind,
            lane=str(record.lane),
            user=record.user,
            priority=record.job.priority,
            units=record.job.unit_count,
            done=0,
            failed=0,
            created=created,
            started=None,
            finished=None,
            expires=record.expires,
            paused=False,
            reason="",
            starts=record.starts,
            window=record.window,
            cost=megapixel_steps(record.job) if record.cost is None else record.cost,
            last_lane=record.job.last_lane,
        )

    @classmethod
    def from_hash(cls, job_id: str, row: dict[str, str]) -> JobRow:
        """Read a ``job:ID`` hash; raises DamagedRecord if it is not valid."""
        try:
            return cls._read(job_id, row)
        except (KeyError, ValueError, IndexError, OverflowError) as error:
            raise DamagedRecord(
                f"the broker's record of this job is damaged: {short(str(error))}",
                value=job_id,
                hint=f"DEL FARM:job:{job_id} in the broker removes it; then `winepress recover` "
                "enters the job again, unless it had ended",
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
            priority=PRIORITIES[int(row["priority"])],
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
            unread=row.get("unread") == "1",
            pending=row.get("pending") == "1",
            pinned=row.get("pinned") == "1",
        )


@dataclass(frozen=True)
class Worker:
    """A live worker: its description and its last heartbeat."""

    name: str
    seen: float  #: Unix seconds
    facts: dict[str, Any]  #: of its parent process: device, lanes, host, pid, version
    renderer: dict[str, Any]  #: of its rendering process: warm models, pace, footprint

    def serves(self, lane: str) -> bool:
        """Whether it takes work from ``lane`` now."""
        return lane in self.facts.get("lanes", ()) and model_key(lane) not in self.unfit

    @property
    def unfit(self) -> dict[str, str]:
        """Model, with its precision → why this worker cannot serve it."""
        return dict(self.renderer.get("unfit", {}))

    @property
    def too_large(self) -> dict[str, int]:
        """Model, with its precision → bytes it needs, beyond this worker's budget."""
        return dict(self.facts.get("too_large", {}))

    @property
    def staged(self) -> tuple[str, ...]:
        """Models, with their precision, that it draws one stage in memory at a time."""
        return tuple(self.facts.get("staged", ()))


#: Verb of `Ledger.control` → the same in words, where it is not a verb of plain English.
_CHANGES = {"front": "move to the front", "reprioritise": "change the priority of"}
_IN_STATE = {
    JobState.SUCCEEDED: "has succeeded",
    JobState.FAILED: "has failed",
    JobState.CANCELED: "was canceled",
    JobState.EXPIRED: "has expired",
}


def unknown_job(job_id: str) -> NotFound:
    """The error for a job that the ledger does not know."""
    return NotFound(
        "no such job, or its record has expired",
        value=job_id,
        hint="`winepress list` shows the newest jobs; `winepress recover` enters lost ones again",
    )


def not_in_this_state(verb: str, state: JobState) -> Conflict:
    """The error for a verb of `Ledger.control` that the state of the job forbids."""
    words = _CHANGES.get(verb, verb)
    return Conflict(f"cannot {words} a job that {_IN_STATE.get(state, f'is {state}')}")


def read_jobs(
    ids: Sequence[str], rows: Sequence[dict[str, str]]
) -> Iterator[JobRow | DamagedRecord]:
    """The records of jobs, or the errors in them, without jobs that no longer exist."""
    for job_id, row in zip(ids, rows, strict=True):
        try:
            if row:
                yield JobRow.from_hash(job_id, row)
        except DamagedRecord as error:
            yield error


def expand(units: str) -> tuple[int, ...]:
    """Read unit ranges: ``"3-5,9"`` is (3, 4, 5, 9)."""
    found: list[int] = []
    for text in filter(None, units.split(",")):
        first, _, last = text.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return tuple(found)
