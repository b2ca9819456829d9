"""What metrics tell of a farm at one moment, and what has happened in it so far."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from winepress_shared.errors import BrokerUnreachable
from winepress_shared.ledger.outbox import GONE_MS
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import Settings


@dataclass(frozen=True)
class LaneMeasures:
    """A lane with waiting units."""

    lane: str
    waiting: int  #: units
    oldest_s: float  #: since the oldest job with waiting units was accepted, of those looked at
    cost: float  #: mean megapixel-steps of a unit of these jobs
    served_s: Mapping[int, float]  #: priority → since it last got a slice, or began to wait
    tickets: int  #: queued

    @classmethod
    def of(cls, answer: dict[str, Any]) -> LaneMeasures:
        """Read a lane of the answer of ``measures.lua``."""
        served_s = {int(priority): ms / 1000 for priority, ms in answer["served_ms"]}
        return cls(
            lane=answer["lane"],
            waiting=int(answer["waiting"]),
            oldest_s=answer["oldest_ms"] / 1000,
            cost=answer["cost"],
            served_s=served_s,
            tickets=answer["tickets"],
        )


@dataclass(frozen=True)
class OutboxMeasures:
    """The deliveries to webhooks that wait."""

    waiting: int
    due: int
    overdue_s: float  #: of the one that has been due for longest
    deliverers: int  #: live processes that make them


@dataclass(frozen=True)
class Counts:
    """Counts that only grow, each named by words; see ``lua/prelude/2-counts.lua``."""

    totals: Mapping[str, float]

    @classmethod
    def of(cls, *flat: Sequence[str]) -> Counts:
        """Read hashes as Lua returns them, names and values in turn, without damaged ones."""
        pairs = [pair for one in flat for pair in zip(one[::2], one[1::2], strict=True)]
        return cls({name: value for name, text in pairs if (value := _number(text)) is not None})

    def total(self, name: str) -> float:
        """One count; 0 if nothing was counted yet."""
        return self.totals.get(name, 0.0)

    def named(self, first: str, words: int) -> dict[tuple[str, ...], float]:
        """The counts of ``first`` that have so many words after it: these words → count."""
        found = {}
        for name, total in self.totals.items():
            start, *rest = name.split(" ")
            if start == first and len(rest) == words:
                found[tuple(rest)] = total
        return found


@dataclass(frozen=True)
class Measures:
    """Everything about a farm but its workers and the slices in hand; see `FarmSnapshot`."""

    counts: Counts
    picture_s: tuple[float, ...]  #: upper bounds of the buckets of the seconds of a picture
    job_s: tuple[float, ...]  #: the same of the seconds of a job
    jobs: Mapping[str, int]  #: state → jobs
    open: int  #: units that have not ended
    queue_limit: int  #: most of them
    slices: int  #: in hand
    pending: int  #: submissions that are not complete
    pauses: tuple[str, ...]  #: ``farm``, ``lane:LANE``, ``user:USER``
    outbox: OutboxMeasures
    lanes: tuple[LaneMeasures, ...]  #: those with the most waiting units
    other_lanes: int  #: units waiting in all others

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Measures:
        """Read the answer of ``measures.lua``, in which an empty list is an empty object."""
        webhooks = answer["webhooks"]
        return cls(
            counts=Counts.of(*(answer[f"{name}_counts"] or [] for name in _COUNTS)),
            picture_s=tuple(answer["picture_s"]),
            job_s=tuple(answer["job_s"]),
            jobs=answer["jobs"],
            open=int(answer["open"]),
            queue_limit=int(answer["queue_limit"]),
            slices=answer["slices"],
            pending=answer["pending"],
            pauses=tuple(answer["pauses"]),
            outbox=OutboxMeasures(
                waiting=webhooks["waiting"],
                due=webhooks["due"],
                overdue_s=webhooks["overdue_ms"] / 1000,
                deliverers=webhooks["deliverers"],
            ),
            lanes=tuple(map(LaneMeasures.of, answer["lanes"])),
            other_lanes=int(answer["other_lanes"]),
        )


_COUNTS = ("job", "work", "delivery")


class MeasureReader:
    """Reads the measures of a farm; methods raise BrokerUnreachable."""

    def __init__(self, settings: Settings, server: ScriptServer | None = None) -> None:
        """``server`` is one that others use too; without it this opens its own."""
        self._server = server or ScriptServer(settings, f"{settings.farm}:")
        self._queue_prefix = f"{settings.farm}:queue:"

    def close(self) -> None:
        """Close the connections; they are reopened when needed."""
        self._server.close()

    def take(self, most_lanes: int) -> Measures:
        """The measures now, with a limited number of lanes."""
        answer = self._server.run("measures", most_lanes, self._queue_prefix, GONE_MS)
        return Measures.of(json.loads(answer))

    def broker_info(self) -> dict[str, Any]:
        """What the broker tells of itself; empty where this role may not ask."""
        try:
            with self._server.reaching():
                return dict(self._server.client.info())
        except BrokerUnreachable:  # an outage is told by what else is read
            return {}


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
