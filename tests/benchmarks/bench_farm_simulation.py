"""A thousand workers, fifty models and a million units: the real ledger, claims and lane order.

Real Valkey, scripts, lane index and order of lanes; simulated are the workers and what they wait
for: a virtual clock takes the place of the server's, so loads and renders take no time here. All
of the million waits; what is measured is a window after the start-up. The load is steady: a job
of its kind follows each that ends, and interactive ones keep coming. Reports of progress are not
sent: what one costs is measured and added.

``bench_farm_simulation.py [WINDOW_S [SEED…]]``: five crowds of jobs over half an hour of virtual
time each take hours.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from simulated_farm import MODELS, START_UP_S, WINDOW_S, Farm
from simulated_workers import ROOM, STEPS, WORKERS, run
from support.audited_farm import AuditedFarm
from support.servers import ValkeyServer

_REPORTS_MEASURED = 1_000
_SEEDS = (1, 2, 3, 4, 5)  #: each of another crowd of jobs


def main(window_s: float = WINDOW_S, seeds: Sequence[int] = _SEEDS) -> None:
    """Print what is wanted beside what is measured."""
    for seed in seeds:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder, ValkeyServer(Path(folder)) as server:
            _measure(Farm(AuditedFarm(server.url), seed, window_s))
        print(f"seed {seed} took {time.perf_counter() - began:.0f} s", flush=True)


def _measure(farm: Farm) -> None:
    audited, window_s = farm.audited, farm.window_s
    farm.fill()
    queued = sum(audited.ledger.waiting().values())
    print(f"{queued:,} units in {MODELS} lanes, {WORKERS:,} workers with room for {ROOM} models")
    life = run(farm)
    next(life)
    before = _counts(farm)
    next(life)
    farm.note_end()
    pictures, cost = farm.drawn, _counts(farm).since(before)
    report, reports = _cost_of_report(farm), farm.reports / pictures
    calls = cost.calls / pictures + reports
    commands = cost.commands / pictures + reports * report.commands
    cpu_s = cost.cpu_s + farm.reports * report.cpu_s
    print(f"window: {window_s:.0f} s of the farm after {START_UP_S:.0f} s, {pictures:,} pictures")
    print(f"utilisation: {100 * farm.busy_s / (WORKERS * window_s):.1f} %; wanted: 98 %")
    print(f"loads that a picture waited for, per 100: {100 * farm.loads / pictures:.2f}")
    _print_waits("interactive jobs", farm.waits)
    _print_waits("those whose model a worker held when they came; wanted: p99 2 s", farm.warm_waits)
    print(f"per picture: {calls:.1f} calls, of which {reports:.1f} report progress; wanted: 8")
    print(f"per picture: {commands:.0f} commands inside the broker; wanted: 60")
    print(f"broker: {100 * cpu_s / window_s:.0f} % of one core")
    audited.close()


def _print_waits(of: str, waits: Sequence[float]) -> None:
    parts = quantiles(waits, n=100)
    print(f"{of}: {len(waits):,} begun after {parts[49]:.2f} s (median), {parts[98]:.2f} s (p99)")


@dataclass(frozen=True)
class _Cost:
    """What was asked of the broker so far."""

    calls: float  #: from outside
    commands: float  #: run by scripts
    cpu_s: float

    def since(self, before: _Cost) -> _Cost:
        return _Cost(
            self.calls - before.calls, self.commands - before.commands, self.cpu_s - before.cpu_s
        )


def _counts(farm: Farm) -> _Cost:
    redis = farm.audited.redis
    stats = {name: row["calls"] for name, row in redis.info("commandstats").items()}
    outside = sum(stats.get(f"cmdstat_{name}", 0) for name in ("evalsha", "lmpop", "lpush"))
    # The virtual clock is read by every script, and set before each.
    clock = stats.get("cmdstat_evalsha", 0) + farm.time.advances
    cpu = redis.info("cpu")
    inside = sum(stats.values()) - outside - clock
    return _Cost(outside, inside, cpu["used_cpu_user"] + cpu["used_cpu_sys"])


def _cost_of_report(farm: Farm) -> _Cost:
    """What one report of progress costs."""
    ledger = farm.audited.ledger
    farm.audited.submit("report", lane="report.fp16")
    fence = farm.audited.claim(lane="report.fp16").fence
    ledger.start(fence, 0)
    before = _counts(farm)
    for _ in range(_REPORTS_MEASURED):
        ledger.progress(fence, 0, 1, STEPS)
    cost = _counts(farm).since(before)
    return _Cost(1, cost.commands / _REPORTS_MEASURED, cost.cpu_s / _REPORTS_MEASURED)


if __name__ == "__main__":
    window, *numbers = sys.argv[1:] or [str(WINDOW_S)]
    main(float(window), list(map(int, numbers)) or _SEEDS)
