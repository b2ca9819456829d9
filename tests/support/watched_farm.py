"""A farm without workers of its own, on servers that a test may hurt, watched by a Prometheus."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import redis

from support.audited_farm import LANE, submission
from support.prometheus import Prometheus
from support.running_gateway import RunningGateway
from support.servers import ValkeyServer
from winepress_shared.ledger.ledger import Ledger, holder_of
from winepress_shared.ledger.limits import QueueLimits
from winepress_shared.settings import Settings


@dataclass
class WatchedFarm:
    """A broker of its own, a gateway that tells of it, and a Prometheus that hears."""

    settings: Settings
    server: ValkeyServer
    data: Path  #: of the broker
    gateway: RunningGateway
    prometheus: Prometheus
    ledger: Ledger = field(init=False)
    limits: QueueLimits = field(init=False)
    broker: redis.Redis = field(init=False)

    def __post_init__(self) -> None:
        self.ledger, self.limits = Ledger(self.settings), QueueLimits(self.settings)
        self.broker = redis.Redis.from_url(self.server.url, decode_responses=True)

    def key(self, *parts: str) -> str:
        return ":".join((self.settings.farm, *parts))

    def live(self, worker: str = "w1", pid: int = 1) -> None:
        self.ledger.beat(worker, holder_of(worker, pid), {"device": "CPU", "lanes": [LANE]})

    def submit(self, job: str, units: int = 1, **fields: object) -> None:
        self.ledger.submit(submission(job, units, **fields))

    def draw(self, job: str, units: int) -> None:
        """Draw a job of so many pictures to its end."""
        self.submit(job, units)
        while slice_ := self.ledger.claim(LANE, "w1", holder_of("w1", 1), units):
            for unit in slice_.units:
                self.ledger.start(slice_.fence, unit)
                self.ledger.commit(slice_.fence, unit, {"device": "CPU", "render_s": 0.1})

    def ago_ms(self, seconds: int) -> int:
        now, _ = self.broker.time()
        return (int(now) - seconds) * 1000

    def configure(self, name: str, value: str) -> None:
        self.broker.config_set(name, value)
