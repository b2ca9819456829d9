"""What the whole farm does at one moment, read in one round trip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from winepress_shared.documents import read_facts
from winepress_shared.ledger.ledger import GONE_MS
from winepress_shared.ledger.records import JobRow, Worker, read_jobs
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import Settings


@dataclass(frozen=True)
class LaneState:
    """A lane in which units wait or are in hand."""

    lane: str
    ready: int  #: units waiting
    workers: int  #: that serve it
    parked: str  #: why it rests after a fault; empty when it does not

    @classmethod
    def of(cls, row: list[Any]) -> LaneState:
        """Read a lane of the answer of ``snapshot.lua``."""
        lane, ready, workers, parked = row
        return cls(lane, int(ready) if ready.isdecimal() else 0, workers, parked)


@dataclass(frozen=True)
class HandedOut:
    """A slice that a worker has."""

    worker: str
    job_id: str
    lane: str
    unit: int | None  #: in hand; None before the first one
    progress: float  #: of that unit, 0 to 1
    units: int  #: that have not ended

    @classmethod
    def of(cls, row: list[Any]) -> HandedOut:
        """Read a slice of the answer of ``snapshot.lua``."""
        holder, job, lane, unit, step, steps, units = row
        share = step / steps if steps else 0.0
        in_hand = int(unit) if unit.isdecimal() else None
        return cls(holder.rpartition("/")[0], job, lane, in_hand, share, units)


@dataclass(frozen=True)
class FarmSnapshot:
    """All of it; ``workers`` and ``jobs`` are the first of them where there are many."""

    at: float  #: Unix seconds by the server's clock
    lanes: tuple[LaneState, ...]
    pauses: tuple[str, ...]  #: ``farm``, ``lane:LANE``, ``user:USER``
    worker_count: int
    workers: tuple[Worker, ...]
    loading: dict[str, str]  #: worker → the model it loads just now, with its precision
    slices: tuple[HandedOut, ...]
    running: int  #: jobs
    queued: int  #: jobs
    jobs: tuple[JobRow, ...]  #: the newest that run, the oldest that are queued, the newest of all

    @classmethod
    def of(cls, answer: list[Any]) -> FarmSnapshot:
        """Read the answer of ``snapshot.lua``; jobs whose records make no sense are left out."""
        now, lanes, pauses, count, workers, slices, running, queued, jobs = answer
        hashes = {flat[0]: dict(zip(flat[1::2], flat[2::2], strict=True)) for flat in jobs}
        rows = read_jobs(list(hashes), list(hashes.values()))
        return cls(
            at=now / 1000,
            lanes=tuple(map(LaneState.of, sorted(lanes))),
            pauses=tuple(sorted(pauses)),
            worker_count=count,
            workers=tuple(
                Worker(name, float(beat) / 1000, read_facts(own), read_facts(renderer))
                for name, beat, own, renderer, _ in sorted(workers)
            ),
            loading={name: loads for name, *_, loads in workers if loads},
            slices=tuple(map(HandedOut.of, slices)),
            running=running,
            queued=queued,
            jobs=tuple(row for row in rows if isinstance(row, JobRow)),
        )


class Snapshots:
    """Takes snapshots of a farm; raises BrokerUnreachable."""

    def __init__(self, settings: Settings) -> None:
        self._server = ScriptServer(settings, f"{settings.farm}:")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def take(self, most_workers: int, most_jobs: int) -> FarmSnapshot:
        """What the farm does now, with no more than so many workers and jobs of each kind."""
        return FarmSnapshot.of(self._server.run("snapshot", most_workers, most_jobs, GONE_MS))
