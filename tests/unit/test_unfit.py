"""A worker tries again what it could not serve when that may have changed, and not before."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from winepress_shared.errors import DiskFull, EnvironmentFault
from winepress_worker.renderer.unfit import FIRST_PAUSE_S, LONGEST_PAUSE_S, Unfit

MODEL = "vignette.fp16"


class Usage(NamedTuple):
    total: int
    used: int
    free: int


class Surroundings:
    """A clock, the files of a model and a disk, in the test's own hands."""

    def __init__(self) -> None:
        self.now = 0.0
        self.files = 1
        self.free = 0
        self.unfit = Unfit(lambda model: self.files, (Path(),), lambda: self.now)

    def refuse(self, error: EnvironmentFault | None = None) -> None:
        self.unfit.refuse(MODEL, error or EnvironmentFault("broken"))


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    """Surroundings of one worker."""
    one = Surroundings()
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(0, 0, one.free))
    return one


def test_the_reason_is_told_until_it_is_tried_again(around: Surroundings) -> None:
    """Nothing is tried while nothing has changed and the pause is not over."""
    around.refuse()
    assert not around.unfit.try_again()
    assert around.unfit.reasons == {MODEL: "broken"}
    around.now += FIRST_PAUSE_S
    assert around.unfit.try_again()
    assert around.unfit.reasons == {}


def test_each_refusal_waits_twice_as_long_as_the_one_before_up_to_a_limit(
    around: Surroundings,
) -> None:
    """A slice in the hands of a worker that fails is time lost for the farm."""
    pauses = []
    for _ in range(8):
        around.refuse()
        began = around.now
        while not around.unfit.try_again():
            around.now += 1.0
        pauses.append(around.now - began)
    assert pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert pauses[-1] == LONGEST_PAUSE_S
    around.now += LONGEST_PAUSE_S + 1.0
    around.refuse()
    around.now += FIRST_PAUSE_S
    assert around.unfit.try_again(), "it was of use for a long time in between"


def test_another_copy_of_the_model_is_tried_at_once(around: Surroundings) -> None:
    """Prepared anew, pulled, copied: whatever it was, the files are not those that failed."""
    around.refuse()
    around.files += 1
    assert around.unfit.try_again()


def test_room_on_a_disk_matters_where_the_disk_was_full(around: Surroundings) -> None:
    """For any other fault it says nothing, and disks change all the time."""
    around.refuse()
    around.free += 2**30
    assert not around.unfit.try_again()
    around.refuse(DiskFull("no room"))
    around.free += 2**20
    assert not around.unfit.try_again()
    around.free += 2**30
    assert around.unfit.try_again()


def test_a_process_that_starts_on_a_full_disk_waits_for_room(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python finds no folder for temporary files there; pictures need none."""

    def find_none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", find_none)
    unfit = Unfit(lambda model: 1, clock=lambda: around.now)
    unfit.refuse(MODEL, DiskFull("no room"))
    assert not unfit.try_again()
    around.free = 2**30
    monkeypatch.setattr(tempfile, "gettempdir", str)
    assert unfit.try_again()
