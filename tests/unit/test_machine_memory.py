"""How much memory models may take where nobody said it."""

from __future__ import annotations

import argparse

import pytest

from winepress_deploy.command import register
from winepress_deploy.farm_options import FarmOptions
from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import WrongUsage
from winepress_shared.lane import Precision
from winepress_worker import machine_memory
from winepress_worker.command import read_budgets
from winepress_worker.machine_memory import machine_budget
from winepress_worker.options import WorkerOptions

GIB = 2**30


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> int:
    """A machine of 24 GB on which nothing runs."""
    size = 22 * GIB
    monkeypatch.setattr(machine_memory, "free_memory", lambda: size)
    return size


def test_a_machine_of_24_gb_may_hold_the_largest_model_of_one_step(free: int) -> None:
    """And leaves something for what drawing takes beside it."""
    model = Catalogue.load().get("sdxl-turbo")
    assert model.memory_bytes(Precision.FP16) < machine_budget() < free
    assert model.memory_bytes(Precision.INT8_WEIGHTS) < model.memory_bytes(Precision.FP16)


@pytest.mark.parametrize(
    ("memory", "host", "budgets"),
    [
        ("8GiB", None, (8 * GIB, 0)),
        (None, "12GiB", (12 * GIB, 12 * GIB)),
        ("8GiB", "12GiB", (8 * GIB, 12 * GIB)),
    ],
)
def test_what_is_said_of_memory_wins(
    free: int, memory: str | None, host: str | None, budgets: tuple[int, int]
) -> None:
    """A budget of the machine alone is that of each worker too."""
    assert read_budgets(memory, host) == budgets


def test_workers_that_are_told_nothing_share_what_the_machine_has(free: int) -> None:
    """One of them may have all of it, two of them no more than that together."""
    own, host = read_budgets(None, None)
    assert own == host == machine_budget()
    options = WorkerOptions("w", memory_budget=own, host_budget=host)
    assert options.model_budget == machine_budget()
    assert WorkerOptions("w", memory_budget=2 * GIB, host_budget=GIB).model_budget == GIB


def test_a_size_that_is_none_is_refused_by_its_flag() -> None:
    """The same for a worker and for a farm."""
    with pytest.raises(WrongUsage, match="--memory-budget: not a size"):
        read_budgets("much", None)


@pytest.mark.parametrize(
    ("flags", "budgets"),
    [
        ([], (None, None)),
        (["--memory-budget", "2GiB"], (2 * GIB, None)),
        (["--memory-budget", "2GiB", "--host-budget", "3GiB"], (2 * GIB, 3 * GIB)),
        (["--memory-budget", "40GiB"], (40 * GIB, 40 * GIB)),
    ],
)
def test_a_farm_tells_each_of_its_workers_what_all_may_hold(
    free: int,
    monkeypatch: pytest.MonkeyPatch,
    flags: list[str],
    budgets: tuple[int | None, int | None],
) -> None:
    """Read once: a worker that is started again would find the memory taken by its siblings."""
    farms: list[FarmOptions] = []
    monkeypatch.setattr("winepress_deploy.run_farm.run_here", lambda farm, say: farms.append(farm))
    up(*flags)
    worker, host = (size or machine_budget() for size in budgets)
    wanted = ("--memory-budget", str(worker), "--host-budget", str(host))
    assert farms[0].worker_flags == wanted


def test_a_farm_refuses_a_size_that_is_none_before_it_starts() -> None:
    """As the worker does."""
    with pytest.raises(WrongUsage, match="--memory-budget: not a size"):
        up("--memory-budget", "much")


def up(*flags: str) -> None:
    """What ``winepress up`` does with these flags."""
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    arguments = parser.parse_args(["up", *flags])
    arguments.run(arguments)
