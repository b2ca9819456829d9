"""The state of the whole farm at one moment, read in one round trip."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from winepress_shared.documents import read_facts
from winepress_shared.ledger.ledger import GONE_MS
from winepress_shared.ledger.records import JobRow, Worker, read_jobs
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.ledger.watchers import Watchers
from winepress_shared.settings import Settings

_UNIT = re.compile(r"[0-9]{1,7}")


@dataclass(frozen=True)
class LaneState:
    """A lane with waiting or leased units."""

    lane: str
    ready: int  #: units waiting
    workers: int  #: that serve it
    parked: str  #: why it is parked after a fault; empty if it is not


@dataclass(frozen=True)
class SliceInHand:
    """A slice that a worker holds."""

    worker: str
    job_id: str
    lane: str
    unit: int | None  #: in progress; None before the first one
    progress: float  #: of that unit, 0 to 1, as last reported: seldom where nobody watches the job
    units: int  #: not ended

    @classmethod
    def of(cls, answer: dict[str, Any]) -> SliceInHand:
        """Read a slice of the answer of ``snapshot.lua``."""
        unit, steps = answer["unit"], answer["steps"]
        share = answer["step"] / steps if steps else 0.0
        return cls(
            worker=answer["holder"].rpartition("/")[0],
            job_id=answer["job"],
            lane=answer["lane"],
            unit=int(unit) if _UNIT.fullmatch(unit) else None,
            progress=min(1.0, max(0.0, share)),
            units=answer["units"],
        )


@dataclass(frozen=True)
class LostWorker:
    """A worker that was not heard of for long and did not leave."""

    name: str
    seen: float  #: its last heartbeat, Unix seconds by the server's clock


@dataclass(frozen=True)
class FarmSnapshot:
    """The farm's state; ``workers`` and ``jobs`` are limited to the first ones."""

    at: float  #: Unix seconds by the server's clock
    lanes: tuple[LaneState, ...]
    pauses: tuple[str, ...]  #: ``farm``, ``lane:LANE``, ``user:USER``
    worker_count: int
    workers: tuple[Worker, ...]
    loading: dict[str, str]  #: worker → the model it is loading, with its precision
    slices: tuple[SliceInHand, ...]
    running: int  #: jobs
    queued: int  #: jobs
    #: Running jobs, newest first; queued jobs, oldest first; then the newest others.
    jobs: tuple[JobRow, ...]
    lost: tuple[LostWorker, ...] = ()
    #: Worker → lane of which it gets no slices, for it failed at what others drew → when that ends,
    #: Unix seconds by the server's clock.
    blocked: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def known_workers(self) -> tuple[Worker | LostWorker, ...]:
        """Those that are alive, then those that were lost."""
        return (*self.workers, *self.lost)

    @classmethod
    def of(cls, answer: dict[str, Any]) -> FarmSnapshot:
        """Read the answer of ``snapshot.lua``, in which an empty list is an empty object.

        Jobs with damaged records are left out; `doctor` names them.
        """
        workers = sorted(answer["workers"], key=lambda one: str(one["name"]))
        ids = [job["id"] for job in answer["jobs"]]
        hashes = [dict(zip(j["row"][::2], j["row"][1::2], strict=True)) for j in answer["jobs"]]
        return cls(
            at=answer["now"] / 1000,
            lanes=tuple(LaneState(**lane) for lane in sorted(answer["lanes"], key=_lane_of)),
            pauses=tuple(sorted(answer["pauses"])),
            worker_count=answer["worker_count"],
            workers=tuple(map(_worker, workers)),
            loading={worker["name"]: worker["loading"] for worker in workers if worker["loading"]},
            slices=tuple(map(SliceInHand.of, answer["slices"])),
            running=answer["running"],
            queued=answer["queued"],
            jobs=tuple(row for row in read_jobs(ids, hashes) if isinstance(row, JobRow)),
            blocked={w["name"]: _blocks(w["blocked"]) for w in workers if w["blocked"]},
            lost=tuple(LostWorker(one["name"], one["seen"] / 1000) for one in answer["lost"]),
        )


class Snapshots:
    """Takes snapshots of a farm during its ``with`` block; raises BrokerUnreachable."""

    def __init__(self, settings: Settings, server: ScriptServer | None = None) -> None:
        """``server`` is one that others use too; without it this opens its own."""
        self._server = server or ScriptServer(settings, f"{settings.farm}:")
        self._watchers = Watchers(self._server)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def take(self, most_workers: int, most_jobs: int) -> FarmSnapshot:
        """The current state, with a limited number of workers and of jobs of each kind."""
        answer = self._server.run("snapshot", most_workers, most_jobs, GONE_MS)
        return FarmSnapshot.of(json.loads(answer))

    def watch(self, farm: FarmSnapshot) -> None:
        """Have the steps of what its workers draw reported until the next snapshot."""
        shown = {worker.name for worker in farm.workers}
        self._watchers.watch({one.job_id for one in farm.slices if one.worker in shown})


def _blocks(flat: list[str]) -> dict[str, float]:
    return {lane: float(until) / 1000 for lane, until in zip(flat[::2], flat[1::2], strict=True)}


def _lane_of(answer: dict[str, Any]) -> str:
    return str(answer["lane"])


def _worker(answer: dict[str, Any]) -> Worker:
    facts, renderer = read_facts(answer["facts"]), read_facts(answer["renderer"])
    return Worker(answer["name"], answer["seen"] / 1000, facts, renderer)
