"""The ledger alone, with a million units waiting: calls per second, latency, memory."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# The servers of the tests are started the same way here; what they need is beside them.
sys.path.insert(0, str(Path(__file__).parents[1]))

from support.audited_farm import LANE, AuditedFarm
from support.servers import ValkeyServer

_JOBS = 1_000
_UNITS = 1_000  # of each job
_CALLS = 2_000  # timed calls of each kind
_USERS = 50
_WORKERS = 20
_UNITS_PER_SLICE = 20


def _timed(call: Callable[[int], object]) -> list[float]:
    """Milliseconds of each of `_CALLS` calls."""
    took = []
    for number in range(_CALLS):
        began = time.perf_counter()
        call(number)
        took.append((time.perf_counter() - began) * 1000)
    return took


def _report(name: str, took: list[float]) -> None:
    cuts = statistics.quantiles(took, n=100)
    rate = 1000 * len(took) / sum(took)
    print(f"{name}: {rate:,.0f}/s, p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms")


def _memory(farm: AuditedFarm) -> int:
    return int(farm.redis.info("memory")["used_memory"])


def main() -> None:
    """Print what submitting, claiming and committing cost."""
    with tempfile.TemporaryDirectory() as folder, ValkeyServer(Path(folder)) as server:
        _measure(AuditedFarm(server.url))


def _measure(farm: AuditedFarm) -> None:
    for number in range(_WORKERS):
        farm.ledger.beat(f"w{number}", f"w{number}/1", {})
    empty = _memory(farm)
    began = time.perf_counter()
    for number in range(_JOBS):
        farm.submit(f"j{number:020d}", _UNITS, user=f"user{number % _USERS}", priority=number % 3)
    print(f"submit: {_JOBS / (time.perf_counter() - began):,.0f} jobs/s")
    waiting = _memory(farm) - empty
    print(f"memory: {waiting / _JOBS:,.0f} bytes for each waiting job of {_UNITS} units")

    slices = []
    _report("ping", _timed(lambda _: farm.ledger.ping()))
    claims = _timed(
        lambda n: slices.append(farm.claim(_UNITS_PER_SLICE, worker=f"w{n % _WORKERS}"))
    )
    leases = (_memory(farm) - empty - waiting) / _CALLS
    _report(f"claim of {_UNITS_PER_SLICE} units", claims)
    _report("start", _timed(lambda n: farm.ledger.start(slices[n].fence, slices[n].units[0])))
    steps = _timed(lambda n: farm.ledger.progress(slices[n].fence, slices[n].units[0], 1, 20))
    _report("progress", steps)
    output = {"key": "jobs/j00000000000000000000/out/000000.png", "sha256": "0" * 64, "size": 9}
    commits = _timed(lambda n: farm.ledger.commit(slices[n].fence, slices[n].units[0], output))
    _report("commit", commits)
    _report("beat without leases", _timed(lambda _: farm.ledger.beat("idle", "idle/1", {})))
    running = len({slice_.job_id for slice_ in slices})
    print(f"memory: {leases:,.0f} bytes for each lease, events of {running} running jobs included")
    print(f"lanes: {farm.ledger.waiting()[LANE]:,} units still waiting")


if __name__ == "__main__":
    main()
