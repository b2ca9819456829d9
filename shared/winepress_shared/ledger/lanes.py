"""The lanes of a farm: the work that waits in them, and the workers that hold their models."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from winepress_shared.documents import read_facts
from winepress_shared.lane import model_key
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import Settings

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,2})?")
ALIVE_MS = 15_000  #: three heartbeats; then a silent worker's models no longer count
LOAD_MS = 900_000  #: a mark of a load expires after this
_JOBS_LOOKED_AT = 1_000  #: earlier jobs of a user that are summed exactly


@dataclass(frozen=True)
class LaneView:
    """A lane with waiting units, as one worker sees it."""

    lane: str
    units: int  #: waiting
    priority: int  #: the highest waiting; 0 goes first
    urgent: int  #: units of that priority
    waited_s: float  #: since that priority last got a slice, or began to wait
    longest_s: float  #: the same for the priority that has waited longest
    idle_s: float  #: since any of its priorities got a slice
    holders: int = 0  #: other live workers that hold its model
    loading: int = 0  #: other live workers that are loading it
    is_shunned: bool = False  #: only units that this worker failed at wait there

    @classmethod
    def of(cls, row: dict[str, Any], held: Collection[str], loads: str) -> LaneView:
        """Read a row of ``lanes.lua`` for a worker that holds ``held`` and ``loads`` a model."""
        model = model_key(row["lane"])
        return cls(
            lane=row["lane"],
            units=row["units"],
            priority=row["priority"],
            urgent=row["urgent"],
            waited_s=row["waited_ms"] / 1000,
            longest_s=row["longest_ms"] / 1000,
            idle_s=row["idle_ms"] / 1000,
            holders=max(0, row["holders"] - (model in held)),
            loading=max(0, row["loading"] - (model == loads)),
        )

    @property
    def model(self) -> str:
        """The model, with its precision, that serves the lane."""
        return model_key(self.lane)


@dataclass(frozen=True)
class InHand:
    """A slice that a worker is rendering."""

    worker: str
    lane: str
    priority: int  #: of its job; 0 if it gives way to no other
    units: int  #: not ended


@dataclass(frozen=True)
class Place:
    """The work ahead of one job in its lane, and what blocks it."""

    jobs: int = 0  #: earlier jobs of the same user and priority
    mine: int = 0  #: units waiting in those
    higher: int = 0  #: units waiting in higher priorities
    slices: int = 0  #: of the user, being rendered now
    most_slices: int = 0  #: limit of those; 0: none
    parked: str = ""  #: why the lane is parked after a fault
    paused: tuple[str, ...] = ()  #: ``farm``, ``lane:LANE``, ``user:USER``
    others: tuple[int, ...] = ()  #: units of each other user of the priority
    in_hand: tuple[InHand, ...] = ()  #: slices of other jobs on the lane's workers

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Place:
        """Read the answer of ``ahead.lua``; Lua writes an empty list as an empty object."""
        lists = {name: tuple(answer[name]) for name in ("paused", "others")}
        in_hand = tuple(InHand(**slice_) for slice_ in answer["in_hand"])
        return cls(**(answer | lists | {"in_hand": in_hand}))


class LaneIndex:
    """Reads and marks lanes; methods raise BrokerUnreachable."""

    def __init__(self, settings: Settings, server: ScriptServer | None = None) -> None:
        """``server`` is one that others use too; without it this opens its own."""
        self._prefix = f"{settings.farm}:"
        self._server = server or ScriptServer(settings, self._prefix)
        self._run = self._server.run

    def close(self) -> None:
        """Close the connections; they are reopened when needed."""
        self._server.close()

    def look(self, worker: str) -> tuple[Sequence[LaneView], dict[str, Any]]:
        """Every lane that has work and is not parked, and the state of the worker's renderer.

        If the worker has named the lanes it serves, only those: it lacks the models of others.
        """
        renderer, lanes, loads, shunned, own = self._run("lanes", worker, ALIVE_MS)
        facts, served = read_facts(renderer), read_facts(own).get("lanes")
        rows = [row for row in json.loads(lanes) if served is None or row["lane"] in served]
        views = [LaneView.of(row, facts.get("warm", ()), loads) for row in rows]
        views = [replace(view, is_shunned=True) if view.lane == shunned else view for view in views]
        return views, facts

    def begin_load(self, worker: str, model: str) -> bool:
        """Mark that ``worker`` loads ``model`` (with its precision); False if enough others do.

        The mark ends when the worker next describes itself, dies, or after `LOAD_MS`.
        """
        return bool(self._run("load", worker, model, LOAD_MS, ALIVE_MS))

    def unblock(self, worker: str) -> int:
        """Let a worker have slices of every lane again; returns in how many it was blocked."""
        return int(self._run("unblock", worker))

    def place(self, lane: str, priority: int, user: str, job_id: str = "") -> Place:
        """The `Place` of a job, or of one submitted now."""
        found = self._run("ahead", lane, priority, user, job_id, _JOBS_LOOKED_AT)
        return Place.of(json.loads(found))

    def parked(self, lane: str) -> str | None:
        """Why ``lane`` is parked; None if it is not."""
        with self._server.reaching():
            return cast("str | None", self._server.client.get(f"{self._prefix}parked:{lane}"))

    def paces(self) -> dict[str, float]:
        """``LANE DEVICE`` → megapixel-steps per second, as last measured."""
        with self._server.reaching():
            found = self._server.client.hgetall(f"{self._prefix}pace")
        paces = cast("dict[str, str]", found).items()
        return {name: float(rate) for name, rate in paces if _NUMBER.fullmatch(rate)}
