"""A mixed load of six models on a worker with room for two: our order of lanes and strict FIFO.

Real ledger, warm pool and lane order; the fake engine loads in ten times the time of a picture. The
load is closed: a new job of a model drawn at random follows each that ends. In turns, same seeds.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from support.audited_farm import AuditedFarm
from support.servers import ValkeyServer

from winepress_shared.lane import Precision
from winepress_shared.ledger.lanes import LaneIndex
from winepress_shared.ledger.records import UnitOutcome
from winepress_worker.engines.fake import FakeEngine
from winepress_worker.fake_settings import FakeSettings
from winepress_worker.lane_order import FAIR_BOUND_S, LaneWatch
from winepress_worker.options import WorkerOptions
from winepress_worker.pipelines.warm_pool import WarmPool

_MODELS = 6
_ROOM = 2
_LOAD_S = 0.3
_PICTURE_S = 0.03
_BACKLOG = 36  #: jobs of one picture waiting at any time, six per model
_PICTURES = 200
_ROUNDS = 3


class Rig:
    """One worker without Celery, and a producer that keeps the backlog full."""

    def __init__(self, farm: AuditedFarm, seed: int) -> None:
        self._farm = farm
        self._chance = random.Random(seed)
        settings = FakeSettings(load_s=_LOAD_S, footprint_bytes=1)
        self._engine = FakeEngine(settings)
        self._pool = WarmPool(self._engine, _ROOM)
        self._watch = LaneWatch(LaneIndex(farm.settings), WorkerOptions("bench"))
        self._submitted: dict[str, float] = {}
        self._fifo: deque[str] = deque()
        self.loads = self.drawn = 0
        self.longest_wait_s = 0.0
        for _ in range(_BACKLOG):
            self._submit()

    def _submit(self) -> None:
        lane = f"model-{self._chance.randrange(_MODELS)}.fp16"
        job = self._farm.submit(f"j{len(self._submitted)}", lane=lane)
        self._submitted[job] = time.monotonic()
        self._fifo.append(lane)

    def first_in_first_out(self) -> Iterator[str]:
        """Strictly the lane of the oldest job, for one job."""
        while True:
            yield self._fifo.popleft()

    def by_warmth(self) -> Iterator[str]:
        """The order a worker uses; a ticket is worked on until its lane is empty or gives way."""
        while True:
            lane = self._watch.choose()[0][0]
            yield lane
            while lane in self._farm.ledger.waiting() and not self._watch.gives_way(lane):
                yield lane

    def run(self, lanes: Iterator[str]) -> float:
        """Draw `_PICTURES`; returns pictures per minute."""
        began = time.monotonic()
        while self.drawn < _PICTURES:
            self._serve(next(lanes))
        return 60 * self.drawn / (time.monotonic() - began)

    def _serve(self, lane: str) -> None:
        key = self._engine.prepare(lane.partition(".")[0], Precision.FP16)
        if key not in self._pool.warm:
            self.loads += 1
            self._pool.get(key)
            warm = [f"{each.model}.{each.precision}" for each in self._pool.warm]
            self._farm.ledger.describe_renderer("bench", {"warm": warm})
        self._pool.get(key)
        slice_ = self._farm.claim(1, "bench", lane=lane)
        time.sleep(_PICTURE_S)
        if UnitOutcome.LAST in self._farm.draw(slice_):
            self._farm.ledger.finish(slice_.fence)
        self.drawn += 1
        waited = time.monotonic() - self._submitted[slice_.job_id]
        self.longest_wait_s = max(self.longest_wait_s, waited)
        self._submit()


def main() -> None:
    """Print pictures per minute, cold loads per 100 pictures and the longest wait of both."""
    rates: dict[str, list[float]] = {"fifo": [], "warm": []}
    with tempfile.TemporaryDirectory() as folder, ValkeyServer(Path(folder)) as server:
        for seed in range(_ROUNDS):
            for name in rates:
                farm = AuditedFarm(server.url)
                rig = Rig(farm, seed)
                lanes = rig.first_in_first_out() if name == "fifo" else rig.by_warmth()
                rates[name].append(rig.run(lanes))
                print(
                    f"{name} {seed}: {rates[name][-1]:.0f} pictures/min, "
                    f"{100 * rig.loads / rig.drawn:.0f} cold loads per 100, "
                    f"longest wait {rig.longest_wait_s:.1f} s (bound {FAIR_BOUND_S:.0f} s)"
                )
                farm.close()
    ratios = [warm / fifo for warm, fifo in zip(rates["warm"], rates["fifo"], strict=True)]
    print(f"ours / fifo: {median(ratios):.2f} (least {min(ratios):.2f}); wanted: 3")


if __name__ == "__main__":
    main()
