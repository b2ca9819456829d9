"""No two workers live under one name."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from winepress_shared.errors import WrongUsage
from winepress_shared.ledger_records import Worker
from winepress_worker.own_name import check_name

HERE = socket.gethostname()
NO_PID = 2**22 + 1  #: Linux numbers no process higher than 2**22


class Farm:
    """One worker, which beats while somebody waits, or not."""

    def __init__(self, name: str = "w", *, beats: bool, host: str = "afar", pid: int = 1) -> None:
        self.worker, self.beats = Worker(name, 100.0, {"host": host, "pid": pid}, {}), beats
        self.waited = False

    def workers(self) -> list[Worker]:
        seen = self.worker.seen + (5 if self.beats and self.waited else 0)
        return [Worker(self.worker.name, seen, self.worker.facts, {})]

    def check(self) -> None:
        def wait(seconds: float) -> None:
            self.waited = True

        check_name(self, "w", wait)  # type: ignore[arg-type]


@pytest.mark.parametrize("where", [{"host": "afar"}, {"host": HERE, "pid": os.getppid()}])
def test_a_second_worker_of_a_name_is_refused(where: dict[str, Any]) -> None:
    """It would end the slices of the first at every beat, until their units are given up."""
    with pytest.raises(WrongUsage, match=f"on {where['host']}"):
        Farm(beats=True, **where).check()


def test_a_worker_takes_the_name_of_one_that_is_silent() -> None:
    """Its machine may have been lost a moment ago."""
    Farm(beats=False).check()


@pytest.mark.parametrize(
    "farm",
    [
        Farm("other", beats=True),
        Farm(beats=True, host=HERE, pid=NO_PID),
        Farm(beats=True, host=HERE, pid=os.getpid()),
    ],
)
def test_a_worker_that_is_started_again_does_not_wait(farm: Farm) -> None:
    """The process before it is known to be gone, or was this very number in a container."""
    farm.check()
    assert not farm.waited
