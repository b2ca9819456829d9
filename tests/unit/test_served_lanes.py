"""Which lanes a worker opens with what is on its machine and in its memory."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from winepress_shared.errors import WrongUsage
from winepress_shared.lane import FILM
from winepress_shared.settings import Settings
from winepress_worker.options import WorkerOptions
from winepress_worker.parent.served_lanes import ServedLanes

LANE, SMALLER = "vignette.fp16", "vignette.int8-weights"
MIB = 2**20
_BUDGET = 300 * MIB  #: holds 8-bit weights by the catalogue, and not fp16


def served_lanes(home: Path, budget: int, *patterns: str, engine: str = "openvino") -> ServedLanes:
    lanes = patterns or ("*",)
    options = WorkerOptions("w", lanes=lanes, engine=engine, memory_budget=budget)
    return ServedLanes(options, Settings(home=home))


def test_what_a_worker_cannot_hold_it_does_not_offer(tmp_path: Path) -> None:
    """By precision; pinned to its device or not."""
    lanes = served_lanes(tmp_path, _BUDGET)
    found = lanes.find()
    assert {SMALLER, f"{SMALLER}@CPU", FILM} <= set(found)
    assert not {LANE, f"{LANE}@CPU"} & set(found)
    assert lanes.too_large[LANE] == 400 * MIB
    assert SMALLER not in lanes.too_large
    assert served_lanes(tmp_path, 400 * MIB).find()[0] == LANE


def test_a_worker_of_low_memory_offers_what_fits_one_stage_at_a_time(tmp_path: Path) -> None:
    """And tells of which models that is so, because it draws them slowly."""
    options = WorkerOptions("w", memory_budget=330 * MIB, low_memory=True)
    lanes = ServedLanes(options, Settings(home=tmp_path))
    assert LANE in lanes.find()
    assert lanes.too_large == {}
    assert LANE in lanes.staged
    assert SMALLER not in lanes.staged, "it fits as it is"


def test_the_engine_says_what_it_needs(tmp_path: Path) -> None:
    """The fake one holds what it is told to, whatever the catalogue says."""
    lanes = served_lanes(tmp_path, _BUDGET, engine=f"fake:footprint_bytes={_BUDGET}")
    assert LANE in lanes.find()
    assert lanes.too_large == {}


def test_a_worker_that_can_hold_none_of_its_models_does_not_start(tmp_path: Path) -> None:
    """It names the flag and the size that would do; films alone are another matter."""
    with pytest.raises(WrongUsage, match=r"--memory-budget: no model .* 1GiB or more"):
        served_lanes(tmp_path, MIB, "vignette.*").find_first()
    assert served_lanes(tmp_path, MIB).find() == [FILM]


def test_a_store_that_does_not_list_its_models_in_time_adds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker without a model says which lanes there are; it does not end with a traceback."""

    def hang(command: list[str], *, timeout: float, **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(WrongUsage, match="--lanes: no lane matches"):
        served_lanes(tmp_path, MIB, "guest.*").find_first()
    assert "published models" in caplog.text
