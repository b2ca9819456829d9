"""The farm as a whole: pauses, limits, and which jobs it knows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from winepress_shared.errors import BrokerUnreachable, DamagedRecord, InvalidJob, QueueFull
from winepress_shared.lane import Lane
from winepress_shared.ledger.records import read_jobs
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import USER_PATTERN, Limits, Settings

_PAGE = 500  #: jobs per request

_LOOKED_AT = 1000  #: jobs whose records are checked


@dataclass(frozen=True)
class BrokerMemory:
    """What the broker says of its memory."""

    used: int  #: bytes
    most: int  #: bytes; 0: as much as there is
    policy: str  #: what it does when that is used up


class QueueLimits:
    """Pauses of users, lanes and the farm, its limits, and the jobs it knows.

    Methods raise BrokerUnreachable.

    Pictures in progress are finished during a pause. A pause lasts until `resume` or the loss of
    Redis.
    """

    def __init__(self, settings: Settings, server: ScriptServer | None = None) -> None:
        """``server`` is one that others use too; without it this opens its own."""
        self._prefix = f"{settings.farm}:"
        self._server = server or ScriptServer(settings, self._prefix)

    def close(self) -> None:
        """Close the connections; they are reopened when needed."""
        self._server.close()

    def pause(self, *, user: str | None = None, lane: str | None = None) -> bool:
        """Pause a user or a lane, or the whole farm if neither is named.

        Returns False if it was paused already. Raises InvalidJob for an invalid name.
        """
        return bool(self._server.run("pause", _scope(user, lane), 1))

    def resume(self, *, user: str | None = None, lane: str | None = None) -> bool:
        """End such a pause; returns whether there was one."""
        return bool(self._server.run("pause", _scope(user, lane), 0))

    def pauses(self) -> list[str]:
        """The pauses: ``farm``, ``lane:LANE``, ``user:USER``."""
        with self._server.reaching():
            return sorted(cast("list[str]", self._server.client.hkeys(f"{self._prefix}paused")))

    def damaged(self) -> list[DamagedRecord]:
        """The errors of those of the newest jobs whose records are damaged."""
        with self._server.reaching():
            newest = self._server.client.zrevrange(f"{self._prefix}jobs", 0, _LOOKED_AT - 1)
            ids = cast("list[str]", newest)
        rows = self._server.hashes([f"{self._prefix}job:{job_id}" for job_id in ids])
        return [row for row in read_jobs(ids, rows) if isinstance(row, DamagedRecord)]

    def unknown_jobs(self, job_ids: Sequence[str]) -> list[str]:
        """Those of ``job_ids`` that the ledger does not know, nor as undone submissions."""
        found: list[Any] = []
        with self._server.reaching():
            for first in range(0, len(job_ids), _PAGE):
                pipe = self._server.client.pipeline(transaction=False)
                for job_id in job_ids[first : first + _PAGE]:
                    pipe.exists(f"{self._prefix}job:{job_id}")
                    pipe.zscore(f"{self._prefix}withdrawn", job_id)
                found += pipe.execute()
        pairs = zip(found[::2], found[1::2], strict=True)
        return [
            job_id
            for job_id, (is_known, undone_at) in zip(job_ids, pairs, strict=True)
            if not is_known and undone_at is None
        ]

    def memory(self) -> BrokerMemory | None:
        """The memory of the broker; None where only the operator may ask."""
        try:
            with self._server.reaching():
                found = self._server.client.info("memory")
        except BrokerUnreachable:
            with self._server.reaching():
                self._server.client.ping()
            return None
        return BrokerMemory(
            int(found["used_memory"]), int(found["maxmemory"]), str(found["maxmemory_policy"])
        )

    def limits(self) -> dict[str, float]:
        """Every limit of the farm by name, see `settings.Limits`."""
        return self.set_limits({})

    def set_limits(self, limits: Mapping[str, object]) -> dict[str, float]:
        """Set limits, None for the default, and return all; raises WrongUsage."""
        given = {name: value for name, value in limits.items() if value is not None}
        texts = dict.fromkeys(limits, "") | {
            name: repr(value) for name, value in Limits.checked(given).limits.items()
        }
        found = self._server.run("limits", *[text for pair in texts.items() for text in pair])
        return dict(sorted(zip(found[::2], map(float, found[1::2]), strict=True)))


def farm_full(units: int, most: int) -> QueueFull:
    """The error for a farm with ``units`` not ended, of ``most`` allowed."""
    limit = f"{most} units waiting"
    return QueueFull(
        "the queue has no room for this beside what waits already",
        value=units,
        allowed=limit,
        hint="Submit fewer pictures at once, or try later",
    )


def user_full(user: str, units: int, most: int) -> QueueFull:
    """The error for a user with ``units`` not ended, of ``most`` allowed."""
    return QueueFull(
        f"{user} has no room for this beside what waits already",
        value=units,
        allowed=f"{most} units of one user",
        hint="Submit fewer pictures at once, wait for some of the others, or cancel some",
    )


def _scope(user: str | None, lane: str | None) -> str:
    if user is not None and lane is not None:
        raise InvalidJob("name a user or a lane, not both", field="user, lane")
    if user is not None:
        if not re.fullmatch(USER_PATTERN, user) or user.endswith("\n"):
            raise InvalidJob("not a user name", field="user", value=user)
        return f"user:{user}"
    return f"lane:{Lane.parse(lane)}" if lane is not None else "farm"
