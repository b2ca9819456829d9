"""What the farm knows of its lanes: who waits in them, who holds their models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from winepress_shared.script_server import ScriptServer
from winepress_shared.settings import Settings

ALIVE_MS = 15_000  #: three beats; what a silent worker holds or loads counts no more
LOAD_MS = 900_000  #: a mark of loading that nobody took back ends by itself


@dataclass(frozen=True)
class LaneView:
    """One lane in which units wait, as one worker sees it."""

    lane: str
    units: int  #: waiting
    band: int  #: the highest that waits; 0 goes first
    waited_s: float  #: since that band of the lane got a slice, or began to wait
    longest_s: float  #: the same for whichever of its bands waits longest
    holders: int = 0  #: live workers but this one that hold its model
    is_loading: bool = False  #: another worker loads its model just now

    @property
    def model(self) -> str:
        """Model and precision: what a worker loads to serve the lane."""
        return self.lane.partition("@")[0]


class LaneBook:
    """Reads and marks lanes; methods raise BrokerUnreachable."""

    def __init__(self, settings: Settings) -> None:
        self._run = ScriptServer(settings, f"{settings.farm}:").run

    def look(self, worker: str) -> tuple[Sequence[LaneView], dict[str, Any]]:
        """Every lane that has work and is not parked; what the worker's renderer says of itself."""
        renderer, *rows = self._run("lanes", worker, ALIVE_MS)
        views = [
            LaneView(lane, units, band, waited / 1000, longest / 1000, holders, bool(loading))
            for lane, units, band, waited, longest, holders, loading in rows
        ]
        return views, json.loads(renderer or "{}")

    def begin_load(self, worker: str, model: str) -> bool:
        """Mark that ``worker`` loads ``model`` (with its precision); False when another does.

        The mark ends when the worker next describes itself, dies, or after `LOAD_MS`.
        """
        return bool(self._run("load", worker, model, LOAD_MS, ALIVE_MS))
