"""What the farm as a whole is told and asked: pauses, limits, whether it has lost jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

from winepress_shared.errors import DamagedRecord, InvalidJob, QueueFull
from winepress_shared.lane import Lane
from winepress_shared.ledger.records import read_jobs
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import USER_PATTERN, Limits, Settings

_PAGE = 500  #: jobs asked about at a time

_LOOKED_AT = 1000  #: jobs whose records are looked through


class QueueLimits:
    """Pauses of users, lanes and the farm, its limits, and whether it knows a job.

    Methods raise BrokerUnreachable.

    A pause lets the pictures in hand be finished, and lasts until it is taken back or Redis is
    lost.
    """

    def __init__(self, settings: Settings, server: ScriptServer | None = None) -> None:
        """``server`` is one that others use too; without it this opens its own."""
        self._prefix = f"{settings.farm}:"
        self._server = server or ScriptServer(settings, self._prefix)

    def close(self) -> None:
        """Give the connections back; they are opened anew when needed."""
        self._server.close()

    def pause(self, *, user: str | None = None, lane: str | None = None) -> bool:
        """Hand out no more of a user or of a lane; of the whole farm when neither is named.

        Returns whether it was not paused before. Raises InvalidJob for what is neither.
        """
        return bool(self._server.run("pause", _scope(user, lane), 1))

    def resume(self, *, user: str | None = None, lane: str | None = None) -> bool:
        """Take such a pause back; returns whether there was one."""
        return bool(self._server.run("pause", _scope(user, lane), 0))

    def pauses(self) -> list[str]:
        """What is paused: ``farm``, ``lane:LANE``, ``user:USER``."""
        with self._server.reaching():
            return sorted(cast("list[str]", self._server.client.hkeys(f"{self._prefix}paused")))

    def damaged(self) -> list[DamagedRecord]:
        """What is wrong with those of the newest jobs whose records make no sense."""
        with self._server.reaching():
            newest = self._server.client.zrevrange(f"{self._prefix}jobs", 0, _LOOKED_AT - 1)
            ids = cast("list[str]", newest)
        rows = self._server.hashes([f"{self._prefix}job:{job_id}" for job_id in ids])
        return [row for row in read_jobs(ids, rows) if isinstance(row, DamagedRecord)]

    def check_room(self, user: str, units: int, *, may_be_known: bool = False) -> None:
        """Raise QueueFull when the farm, or one user's part of it, has no room for ``units``.

        Those that ``may_be_known`` need no room if they are.
        """
        farm, most, own, users_most = self._server.run("room", user)
        if may_be_known:
            return
        if farm + units > most:
            raise farm_full(farm, most)
        if own + units > users_most:
            raise user_full(user, own, users_most)

    def unknown_jobs(self, job_ids: Sequence[str]) -> list[str]:
        """Those of ``job_ids`` that the ledger has no row of."""
        found: list[int] = []
        with self._server.reaching():
            for first in range(0, len(job_ids), _PAGE):
                pipe = self._server.client.pipeline(transaction=False)
                for job_id in job_ids[first : first + _PAGE]:
                    pipe.exists(f"{self._prefix}job:{job_id}")
                found += pipe.execute()
        return [job_id for job_id, is_known in zip(job_ids, found, strict=True) if not is_known]

    def limits(self) -> dict[str, float]:
        """Every limit of the farm by its name, see `settings.Limits`."""
        return self.set_limits({})

    def set_limits(self, limits: Mapping[str, object]) -> dict[str, float]:
        """Set limits, None for their default, and return them all; raises WrongUsage."""
        given = {name: value for name, value in limits.items() if value is not None}
        texts = dict.fromkeys(limits, "") | {
            name: repr(value) for name, value in Limits.checked(given).limits.items()
        }
        found = self._server.run("limits", *[part for pair in texts.items() for part in pair])
        return dict(sorted(zip(found[::2], map(float, found[1::2]), strict=True)))


def farm_full(units: int, most: int) -> QueueFull:
    """The farm holds ``units`` that have not ended, and may hold no more."""
    limit = f"{most} units waiting"
    return QueueFull("the queue is full", value=units, allowed=limit, hint="Try later")


def user_full(user: str, units: int, most: int) -> QueueFull:
    """One user has ``units`` that have not ended, and may have no more."""
    return QueueFull(
        f"{user} has as much waiting as one user may",
        value=units,
        allowed=f"{most} units of one user",
        hint="Wait for some of it, or cancel some",
    )


def _scope(user: str | None, lane: str | None) -> str:
    if user is not None and lane is not None:
        raise InvalidJob("name a user or a lane, not both", field="user, lane")
    if user is not None:
        if not re.fullmatch(USER_PATTERN, user) or user.endswith("\n"):
            raise InvalidJob("not a user name", field="user", value=user)
        return f"user:{user}"
    return f"lane:{Lane.parse(lane)}" if lane is not None else "farm"
