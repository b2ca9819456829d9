"""What the farm as a whole is told: who is paused, and how much work it may hold."""

from __future__ import annotations

import re
from typing import cast

from winepress_shared.errors import DamagedRecord, InvalidJob, QueueFull
from winepress_shared.lane import Lane
from winepress_shared.ledger_records import read_jobs
from winepress_shared.script_server import ScriptServer
from winepress_shared.settings import USER_PATTERN, Settings

_LOOKED_AT = 1000  #: jobs whose records are looked through


class FarmBook:
    """Pauses of users, lanes and the farm, and its limits; methods raise BrokerUnreachable.

    A pause lets the pictures in hand be finished, and lasts until it is taken back or Redis is
    lost.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._prefix = f"{settings.farm}:"
        self._server = ScriptServer(settings, self._prefix)

    def close(self) -> None:
        """Give the connections back; they are opened anew when needed."""
        self._server.client.close()

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
            pipe = self._server.client.pipeline(transaction=False)
            for job_id in ids:
                pipe.hgetall(f"{self._prefix}job:{job_id}")
            rows = cast("list[dict[str, str]]", pipe.execute())
        return [row for row in read_jobs(ids, rows) if isinstance(row, DamagedRecord)]

    def check_room(self, user: str, units: int, *, may_be_known: bool = False) -> None:
        """Raise QueueFull when the farm, or one user's part of it, has no room for ``units``.

        Those that ``may_be_known`` need no room if they are.
        """
        with self._server.reaching():
            pipe = self._server.client.pipeline(transaction=False)
            pipe.get(f"{self._prefix}open")
            pipe.hget(f"{self._prefix}opened", user)
            farm, own = (int(count or 0) for count in pipe.execute())
        if may_be_known:
            return
        if farm + units > self._settings.queue_limit:
            raise farm_full(self._settings, farm)
        if own + units > self._settings.user_queue_limit:
            raise user_full(self._settings, user, own)


def farm_full(settings: Settings, units: int) -> QueueFull:
    """The farm holds ``units`` that have not ended, and may hold no more."""
    limit = f"{settings.queue_limit} units waiting"
    return QueueFull("the queue is full", value=units, allowed=limit, hint="Try later")


def user_full(settings: Settings, user: str, units: int) -> QueueFull:
    """One user has ``units`` that have not ended, and may have no more."""
    limit = f"{settings.user_queue_limit} units of one user"
    return QueueFull(
        f"{user} has as much waiting as one user may",
        value=units,
        allowed=limit,
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
