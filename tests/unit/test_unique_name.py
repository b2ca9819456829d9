"""Two workers of one name would undo each other's work; a killed one must not keep its name."""

from __future__ import annotations

import os
from typing import Any

import pytest

from winepress_shared.errors import WrongUsage
from winepress_shared.ledger.records import Worker
from winepress_worker.parent.unique_name import check_unique_name, process_space

_NO_PROCESS = 2**30  #: above the largest process id of Linux


class FakeLedger:
    """Lists one worker, which may beat and vanish while somebody looks."""

    def __init__(self, facts: dict[str, Any], beats: int = 0, vanishes_at: int = 1000) -> None:
        self._facts = facts
        self._beats = beats
        self._vanishes_at = vanishes_at
        self.looks = 0

    def workers(self) -> list[Worker]:
        self.looks += 1
        if self.looks >= self._vanishes_at:
            return []
        return [
            Worker("other", 5.0 + self.looks, {}, {}),
            Worker("render1", 5.0 + min(self.looks // 8, self._beats), self._facts, {}),
        ]


def check(ledger: FakeLedger, name: str = "render1") -> float:
    """Seconds the check took."""
    slept: list[float] = []
    check_unique_name(ledger, name, slept.append)  # type: ignore[arg-type]
    return sum(slept)


def test_a_second_worker_of_a_name_is_refused_while_the_first_beats() -> None:
    """It is told which process has the name."""
    facts = {"pid": os.getppid(), "host": "render1.example", "processes": process_space()}
    with pytest.raises(WrongUsage, match=rf"--name.*'render1'.*{os.getppid()} on render1\.example"):
        check(FakeLedger(facts, beats=1))


def test_a_name_that_nobody_has_is_free_at_once() -> None:
    """Other workers do not matter."""
    assert check(FakeLedger({}), "new") == 0


def test_the_successor_of_a_killed_worker_starts_at_once_where_its_end_can_be_seen() -> None:
    """Under a supervisor, half a second after the kill; in a container, with the same number."""
    for pid in (_NO_PROCESS, os.getpid()):
        assert check(FakeLedger({"pid": pid, "processes": process_space()})) == 0


@pytest.mark.parametrize("processes", ["of another machine", None])
def test_elsewhere_a_worker_counts_as_dead_once_it_missed_two_beats(processes: str | None) -> None:
    """Of another machine, container or version nothing but the beats can be seen."""
    silent = FakeLedger({"pid": _NO_PROCESS, "processes": processes})
    assert 10 < check(silent) < 15
    assert check(FakeLedger({}, vanishes_at=4)) == 1.5
    with pytest.raises(WrongUsage):
        check(FakeLedger({"pid": _NO_PROCESS, "processes": processes}, beats=1))
