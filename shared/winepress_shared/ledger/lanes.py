"""What the farm knows of its lanes: who waits in them, who holds their models."""

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
ALIVE_MS = 15_000  #: three beats; what a silent worker holds or loads counts no more
LOAD_MS = 900_000  #: a mark of loading that nobody took back ends by itself
_JOBS_LOOKED_AT = 1_000  #: earlier jobs of a user that are added up one by one


@dataclass(frozen=True)
class LaneView:
    """One lane in which units wait, as one worker sees it."""

    lane: str
    units: int  #: waiting
    band: int  #: the highest that waits; 0 goes first
    urgent: int  #: units of that band
    waited_s: float  #: since that band of the lane got a slice, or began to wait
    longest_s: float  #: the same for whichever of its bands waits longest
    idle_s: float  #: since any of its bands did
    holders: int = 0  #: live workers but this one that hold its model
    loading: int = 0  #: live workers but this one that load it just now
    is_shunned: bool = False  #: nothing waits there but what this worker failed at

    @classmethod
    def of(cls, row: dict[str, Any], held: Collection[str], loads: str) -> LaneView:
        """Read a row of ``lanes.lua``, as a worker sees it that holds and ``loads`` models."""
        model = model_key(row["lane"])
        return cls(
            lane=row["lane"],
            units=row["units"],
            band=row["band"],
            urgent=row["urgent"],
            waited_s=row["waited_ms"] / 1000,
            longest_s=row["longest_ms"] / 1000,
            idle_s=row["idle_ms"] / 1000,
            holders=max(0, row["holders"] - (model in held)),
            loading=max(0, row["loading"] - (model == loads)),
        )

    @property
    def model(self) -> str:
        """Model and precision: what a worker loads to serve the lane."""
        return model_key(self.lane)


@dataclass(frozen=True)
class InHand:
    """A slice that a worker is drawing."""

    worker: str
    lane: str
    band: int  #: of its job; 0 where it gives way to nobody
    units: int  #: that have not ended


@dataclass(frozen=True)
class Place:
    """What goes before one job in its lane, and what holds it back."""

    jobs: int = 0  #: earlier jobs of the same user and band
    mine: int = 0  #: units that wait in those
    higher: int = 0  #: units that wait in higher bands
    slices: int = 0  #: of the user, being drawn now
    most_slices: int = 0  #: how many those may be; 0 is any number
    parked: str = ""  #: why the lane rests after a fault
    paused: tuple[str, ...] = ()  #: ``farm``, ``lane:LANE``, ``user:USER``
    others: tuple[int, ...] = ()  #: units of each other user of the band
    in_hand: tuple[InHand, ...] = ()  #: of other jobs, on the workers of the lane

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
        """Give the connections back; they are opened anew when needed."""
        self._server.close()

    def look(self, worker: str) -> tuple[Sequence[LaneView], dict[str, Any]]:
        """Every lane that has work and is not parked, and the renderer's description of itself.

        For a worker that has told its lanes, only those: it lacks the models of the others.
        """
        renderer, lanes, loads, shunned, own, *held = self._run("lanes", worker, ALIVE_MS)
        served = read_facts(own).get("lanes")
        rows = [row for row in json.loads(lanes) if served is None or row["lane"] in served]
        views = [LaneView.of(row, held, loads) for row in rows]
        views = [replace(view, is_shunned=True) if view.lane == shunned else view for view in views]
        return views, read_facts(renderer)

    def begin_load(self, worker: str, model: str) -> bool:
        """Mark that ``worker`` loads ``model`` (with its precision); False when enough others do.

        The mark ends when the worker next describes itself, dies, or after `LOAD_MS`.
        """
        return bool(self._run("load", worker, model, LOAD_MS, ALIVE_MS))

    def place(self, lane: str, band: int, user: str, job_id: str = "") -> Place:
        """What goes before a job and holds it back; without ``job_id``, a job submitted now."""
        return Place.of(json.loads(self._run("ahead", lane, band, user, job_id, _JOBS_LOOKED_AT)))

    def parked(self, lane: str) -> str | None:
        """Why nothing is handed out in ``lane`` just now; None when it is open."""
        with self._server.reaching():
            return cast("str | None", self._server.client.get(f"{self._prefix}parked:{lane}"))

    def paces(self) -> dict[str, float]:
        """``LANE DEVICE`` → megapixel-steps per second, as a worker last measured it."""
        with self._server.reaching():
            found = self._server.client.hgetall(f"{self._prefix}pace")
        paces = cast("dict[str, str]", found).items()
        return {name: float(rate) for name, rate in paces if _NUMBER.fullmatch(rate)}
