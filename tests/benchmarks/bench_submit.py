"""How fast one client process submits, the store write included, and what durability costs."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

from winepress import Client, TextToImage
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions

_JOBS = 300
_BATCH = 100
_UNITS = 10_000
_ROUNDS = 5
_PAIRS = 15  #: of batches, side by side
_SINGLE = 10  #: jobs of each pair that are submitted one by one


@contextmanager
def farm_of(durability: str) -> Iterator[Client]:
    """A client of a farm without workers."""
    with (
        patch.dict("os.environ", {"WINEPRESS_DURABILITY": durability}),
        tempfile.TemporaryDirectory() as folder,
        Farm(FarmOptions(state=Path(folder), workers=0, flower=False, gateway=False)) as farm,
        Client(farm.settings) as client,
    ):
        client.submit(TextToImage(prompt="first", seed=1))
        yield client


def cats(count: int) -> list[TextToImage]:
    """So many jobs."""
    return [TextToImage(prompt=f"a cat {i}", seed=i) for i in range(count)]


def submit_singly(client: Client, jobs: list[TextToImage]) -> None:
    """One call for each job."""
    for job in jobs:
        client.submit(job)


def rate(count: int, act: Callable[[], object]) -> float:
    """How many of ``count`` a second."""
    began = time.perf_counter()
    act()
    return count / (time.perf_counter() - began)


def main() -> None:
    """Print jobs per second singly and units per second in one batch, and both durabilities."""
    with farm_of("disk") as client:
        show_rates(client)
    with ExitStack() as stack:
        show_durability({name: stack.enter_context(farm_of(name)) for name in ("second", "disk")})


def show_rates(client: Client) -> None:
    """What one client submits, as `winepress up` sets a farm up."""
    singly, together, batch = [], [], []
    for _ in range(_ROUNDS):
        jobs = cats(_JOBS)
        singly.append(rate(_JOBS, partial(submit_singly, client, jobs)))
        together.append(rate(_JOBS, partial(client.submit_many, jobs)))
        large = TextToImage(prompt="a cat", seed=1, n=_UNITS)
        batch.append(rate(_UNITS, partial(client.submit, large)))
    print(f"submit: {statistics.median(singly):.0f} jobs/s (least {min(singly):.0f})")
    print(f"submit_many: {statistics.median(together):.0f} jobs/s (least {min(together):.0f})")
    print(f"one batch: {statistics.median(batch):,.0f} units/s (least {min(batch):,.0f})")


def show_durability(clients: dict[str, Client]) -> None:
    """Batches of both settings in turn, so that a busy machine slows both."""
    batches: dict[str, list[float]] = {name: [] for name in clients}
    singles: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(_PAIRS):
        for name, client in clients.items():
            batches[name].append(rate(_BATCH, partial(client.submit_many, cats(_BATCH))))
            singles[name].append(rate(_SINGLE, partial(submit_singly, client, cats(_SINGLE))))
    for what, found in ((f"batches of {_BATCH}", batches), ("one by one", singles)):
        ratios = [
            disk / second for disk, second in zip(found["disk"], found["second"], strict=True)
        ]
        medians = {name: statistics.median(rates) for name, rates in found.items()}
        low, _, high = statistics.quantiles(ratios, n=4)
        print(
            f"durability, {what}: disk {medians['disk']:.0f} jobs/s, second "
            f"{medians['second']:.0f} jobs/s; ratio {medians['disk'] / medians['second']:.2f}, "
            f"of pairs {statistics.median(ratios):.2f} (quartiles {low:.2f} to {high:.2f})"
        )


if __name__ == "__main__":
    main()
