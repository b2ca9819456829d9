"""Workers of one machine share its memory, and never take more than there is."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from winepress_shared.errors import EnvironmentFault
from winepress_worker.host_budget import HostBudget

LIMIT = 100
Open = Callable[[], HostBudget]
_CONTENDERS = 4
_ROUNDS = 25


@pytest.fixture
def join(tmp_path: Path) -> Iterator[Open]:
    """Budgets of workers of one machine, as many as are asked for."""
    with ExitStack() as stack:

        def one_more() -> HostBudget:
            budget = HostBudget(tmp_path, LIMIT)
            stack.callback(budget.close)
            return budget

        yield one_more


def test_the_sum_of_what_is_held_stays_within_the_limit(join: Open) -> None:
    """What does not fit is refused and leaves the books as they were."""
    one, other = join(), join()
    assert one.hold(60)
    assert not other.hold(50)
    assert other.hold(40)
    assert one.hold(50)
    assert other.hold(50)
    assert not one.hold(51)


def test_less_may_always_be_held(join: Open) -> None:
    """A pipeline that turned out larger than thought must not keep its worker from shrinking."""
    one, other = join(), join()
    one.settle(90)
    other.settle(90)
    assert one.hold(80)
    assert one.lacking() == 70


def test_what_another_worker_wants_is_heard_until_it_has_it(join: Open) -> None:
    """Free memory counts: only the rest is lacking."""
    one, other = join(), join()
    assert one.hold(70)
    other.want(50)
    assert one.lacking() == 20
    assert one.hold(50)
    assert one.lacking() == 0
    assert other.hold(50)
    assert one.lacking() == 0


def test_a_wish_nobody_repeats_is_forgotten(join: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one worker that gave up would keep the others from keeping anything warm."""
    one, other = join(), join()
    assert one.hold(90)
    monkeypatch.setattr("winepress_worker.host_budget._WANT_S", 0.0)
    other.want(50)
    assert one.lacking() == 0
    assert other.room() == 10


def test_a_folder_that_cannot_be_written_is_a_fault_of_the_surroundings(tmp_path: Path) -> None:
    """It is no job's fault, and costs none an attempt."""
    blocked = tmp_path / "file"
    blocked.write_text("in the way", "utf-8")
    with pytest.raises(EnvironmentFault, match="memory"):
        HostBudget(blocked, LIMIT)


class FullDisk:
    """A file that cannot be written to any more."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_others_what_was_written_before(join: Open) -> None:
    """Whoever cannot write is told so; the books stay readable, and its share is not given away."""
    one, other = join(), join()
    assert one.hold(60)
    one._mine = FullDisk(one._mine)  # type: ignore[assignment]
    with pytest.raises(EnvironmentFault, match="No space"):
        one.hold(70)
    assert other.room() == 40


def test_a_process_that_could_write_nothing_at_its_start_holds_nothing(
    tmp_path: Path, join: Open
) -> None:
    """Its file is there and empty, and it lives."""
    one = join()
    with (tmp_path / "1-late.json").open("w") as late:
        fcntl.flock(late, fcntl.LOCK_EX)
        assert one.room() == LIMIT


def _contend(folder: Path, size: int, answers: Connection) -> None:
    budget = HostBudget(folder, LIMIT)
    for _ in range(_ROUNDS):
        budget.hold(0)
        budget.hold(size)
    answers.send(budget.hold(size))
    answers.recv()  # held until told to end


def test_processes_that_take_at_once_never_take_too_much_and_death_gives_back(
    tmp_path: Path, join: Open
) -> None:
    """Of four that want 40 of 100 each, two get it; when they are killed, all of it is free."""
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe() for _ in range(_CONTENDERS)]
    processes = [
        context.Process(target=_contend, args=(tmp_path, 40, theirs), daemon=True)
        for _, theirs in pipes
    ]
    for process in processes:
        process.start()
    granted = [mine.recv() for mine, _ in pipes]
    assert sum(granted) == 2
    budget = join()
    assert not budget.hold(21)
    for process in processes:
        process.kill()
        process.join()
    assert budget.hold(LIMIT)
