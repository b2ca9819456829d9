"""How fast one client process submits, the store write included."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from winepress import Client, TextToImage
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions

_JOBS = 300
_UNITS = 10_000
_ROUNDS = 5


def main() -> None:
    """Print jobs per second singly and units per second in one batch."""
    with tempfile.TemporaryDirectory() as folder:
        options = FarmOptions(state=Path(folder), workers=0, flower=False)
        with Farm(options) as farm, Client(farm.settings) as client:
            client.submit(TextToImage(prompt="first", seed=1))
            singly, together, batch = [], [], []
            for _ in range(_ROUNDS):
                jobs = [TextToImage(prompt=f"a cat {i}", seed=i) for i in range(_JOBS)]
                began = time.perf_counter()
                for job in jobs:
                    client.submit(job)
                singly.append(_JOBS / (time.perf_counter() - began))
                began = time.perf_counter()
                client.submit_many(jobs)
                together.append(_JOBS / (time.perf_counter() - began))
                began = time.perf_counter()
                client.submit(TextToImage(prompt="a cat", seed=1, n=_UNITS))
                batch.append(_UNITS / (time.perf_counter() - began))
    print(f"submit: {statistics.median(singly):.0f} jobs/s (least {min(singly):.0f})")
    print(f"submit_many: {statistics.median(together):.0f} jobs/s (least {min(together):.0f})")
    print(f"one batch: {statistics.median(batch):,.0f} units/s (least {min(batch):,.0f})")


if __name__ == "__main__":
    main()
