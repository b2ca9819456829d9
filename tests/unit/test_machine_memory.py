"""How much memory models may take where nobody said it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from winepress_deploy.command import register
from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.services.workers import workers
from winepress_deploy.state_folder import StateFolder
from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import WrongUsage
from winepress_shared.lane import Precision
from winepress_shared.quantisation import loaded_bytes
from winepress_shared.settings import Settings
from winepress_worker import machine_memory
from winepress_worker.host_budget import HostBudget, books_of
from winepress_worker.machine_memory import machine_budget, share_out
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
    full, small = (
        loaded_bytes(model.memory_mib, precision)
        for precision in (Precision.FP16, Precision.INT8_WEIGHTS)
    )
    assert small < full < machine_budget() < free


@pytest.mark.parametrize(
    ("worker", "host", "budgets"),
    [(8, None, (8, 0)), (None, 12, (12, 12)), (8, 12, (8, 12)), (None, None, (20, 20))],
)
def test_what_is_said_of_memory_wins(
    worker: int | None, host: int | None, budgets: tuple[int, int]
) -> None:
    """A budget of the machine alone is that of each worker too; told nothing, all share it."""
    assert share_out(worker, host, 20) == budgets
    options = WorkerOptions("w", memory_budget=budgets[0], host_budget=budgets[1])
    assert options.model_budget == budgets[0]


def test_no_model_may_be_larger_than_what_the_machine_may_hold() -> None:
    """Whatever a single worker is told."""
    assert WorkerOptions("w", memory_budget=2 * GIB, host_budget=GIB).model_budget == GIB


def test_what_workers_hold_already_is_for_models_too(free: int, tmp_path: Path) -> None:
    """One that starts beside a worker with a loaded model must not think the machine too small."""
    books = HostBudget(books_of(tmp_path), 20 * GIB)
    assert machine_budget(tmp_path) == machine_budget()
    books.settle(10 * GIB)
    assert machine_budget(tmp_path) - machine_budget() == pytest.approx(8.5 * GIB)
    books.close()
    assert machine_budget(tmp_path) == machine_budget()


@pytest.mark.parametrize(
    ("given", "budgets"),
    [
        ({}, (None, None)),
        ({"memory_budget": 2 * GIB}, (2 * GIB, None)),
        ({"memory_budget": 2 * GIB, "host_budget": 3 * GIB}, (2 * GIB, 3 * GIB)),
        ({"memory_budget": 40 * GIB}, (40 * GIB, 40 * GIB)),
    ],
)
def test_a_farm_tells_each_of_its_workers_what_all_may_hold(
    free: int, tmp_path: Path, given: dict[str, Any], budgets: tuple[int | None, int | None]
) -> None:
    """A worker that is started again is told the same."""
    farm = FarmOptions(workers=2, worker_flags=("--max-batch-size", "1"), **given)
    programs = workers(StateFolder(tmp_path), Settings(home=tmp_path), farm)
    own, host = (size or machine_budget() for size in budgets)
    wanted = ["--memory-budget", str(own), "--host-budget", str(host), "--max-batch-size", "1"]
    assert [list(program.argv[-6:]) for program in programs] == [wanted, wanted]


def test_a_farm_refuses_a_size_that_is_none_before_it_starts() -> None:
    """As the worker does."""
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    arguments = parser.parse_args(["up", "--memory-budget", "much"])
    with pytest.raises(WrongUsage, match="--memory-budget: not a valid size"):
        arguments.run(arguments)
