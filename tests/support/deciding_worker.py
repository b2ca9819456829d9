"""The part of a worker that looks after submissions, in a test's own hands."""

from __future__ import annotations

from typing import cast

import redis

from support.manual_worker import forget_farm
from winepress import Client
from winepress_shared.archive import Archive
from winepress_shared.ledger.pending import PendingJobs
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_worker.renderer.left_submissions import LeftSubmissions


class DecidingWorker:
    """Decides what submissions left behind."""

    def __init__(self, settings: Settings) -> None:
        self._farm = settings.farm
        self._broker = redis.Redis.from_url(settings.broker_url.get_secret_value())
        self._pending = PendingJobs(settings)
        self._left = LeftSubmissions(self._pending, Archive(open_store(settings)))

    def close(self) -> None:
        self._broker.close()
        self._pending.close()

    def look(self) -> None:
        """Look after submissions, long after they began."""
        for name in ("pending", "withdrawn"):
            key = f"{self._farm}:{name}"
            jobs = cast("list[str]", self._broker.zrange(key, 0, -1))
            if jobs:
                self._broker.zadd(key, dict.fromkeys(jobs, 1))
        self._left.decide()

    @property
    def left(self) -> int:
        """Submissions that are still to be looked after."""
        return sum(self._broker.zcard(f"{self._farm}:{name}") for name in ("pending", "withdrawn"))


def recovered(client: Client) -> list[str]:
    """The jobs that a recovery enters once the broker has lost everything."""
    forget_farm(client.settings)
    return [handle.id for handle in client.recover()]
