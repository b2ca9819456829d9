"""What a bulk costs the broker: a million units queued in a thousand jobs, against a thousand."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from pydantic import SecretStr
from support.audited_farm import LANE, AuditedFarm
from support.servers import ValkeyServer

from winepress import Client, Priority, TextToImage
from winepress_shared.settings import Settings

_JOBS = 1_000
_UNITS = 1_000  #: of each job
_USERS = 20
_CLAIMS = 1_000  #: measured of each farm, in turns
_WARM_UP = 50
_MIB = 2**20


def main() -> None:
    """Print what is wanted beside what is measured."""
    with tempfile.TemporaryDirectory() as folder, ValkeyServer(Path(folder)) as server:
        _measure(server, Path(folder))


def _measure(server: ValkeyServer, folder: Path) -> None:
    many, few = AuditedFarm(server.url), AuditedFarm(server.url)
    for number in range(10):  # so that the scripts are loaded in both cases
        few.submit(f"j{number}", (_CLAIMS + _WARM_UP) // 10)
    before = many.redis.info("memory")["used_memory"]
    submit_s = _submit(many, server, folder)
    used = (many.redis.info("memory")["used_memory"] - before) / _MIB
    waiting = sum(many.ledger.waiting().values())
    costs: dict[str, list[float]] = {"many": [], "few": []}
    for number in range(_CLAIMS):
        for name, farm in (("many", many), ("few", few)):
            began = time.perf_counter()
            slice_ = farm.claim(1)
            seconds = time.perf_counter() - began
            farm.draw(slice_)
            if number >= _WARM_UP:
                costs[name].append(1000 * seconds)
    print(f"{waiting:,} units in {_JOBS:,} jobs of {_USERS} users")
    print(f"submitted in {submit_s:.1f} s (store included); wanted: 10 s")
    print(f"memory of the broker: {used:.1f} MiB; wanted: 38 MiB (40 MB)")
    p99 = quantiles(costs["many"], n=100)[98]
    print(f"claim: median {median(costs['many']):.2f} ms, p99 {p99:.2f} ms; wanted: p99 5 ms")
    ratio = median(costs["many"]) / median(costs["few"])
    print(f"median claim at 1,000,000 / at 1,000 units: {ratio:.2f}; wanted: 1.5")
    many.close()
    few.close()


def _submit(farm: AuditedFarm, server: ValkeyServer, folder: Path) -> float:
    """Submit everything as a producer does; returns the seconds it took."""
    settings = Settings(
        farm=farm.settings.farm, broker_url=SecretStr(server.url), store_folder=folder / "store"
    )
    job = TextToImage(prompt="a cat", seed=1, n=_UNITS, priority=Priority.BULK)
    with Client(settings) as client:
        assert str(job.lane) == LANE
        began = time.perf_counter()
        for user in range(_USERS):
            client.submit_many([job] * (_JOBS // _USERS), user=f"user{user}")
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
