"""What `winepress top` reads while it draws."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from support.fixed_farm import FARM

from winepress.views import live_farm
from winepress_shared.errors import BrokerUnreachable
from winepress_shared.ledger.snapshot import FarmSnapshot
from winepress_shared.screen.table import Cell


class Farm:
    """Stands for `Snapshots`."""

    def __init__(self) -> None:
        self.read_at: list[float] = []
        self.fault: Exception | None = None
        self.is_silent = False
        self.silent, self.speaks = threading.Event(), threading.Event()

    def take(self, most_workers: int, most_jobs: int) -> FarmSnapshot:
        self.read_at.append(time.monotonic())
        if self.is_silent:
            self.silent.set()
            self.speaks.wait()
        if self.fault:
            raise self.fault
        return replace(FARM, queued=len(self.read_at))

    def watch(self, farm: FarmSnapshot) -> None:
        """Whose steps are told is another test's matter."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_farm, "_READ_S", 0.02)


def reader_of(farm: Any) -> live_farm._Reader:
    return live_farm._Reader(farm, FARM)


def await_state(reader: live_farm._Reader, number: int = 1) -> None:
    """Return when there was something new to draw so many times."""
    for _ in range(number):
        before = reader.state
        while reader.state == before:
            time.sleep(0.001)


def test_the_farm_is_read_no_oftener_than_it_should_be() -> None:
    """However often it is drawn: the time between two reads is at least the agreed one."""
    farm = Farm()
    with reader_of(farm) as reader:
        await_state(reader, 5)
    assert all(after - before >= 0.02 for before, after in pairwise(farm.read_at))


def test_an_outage_is_told_above_what_was_seen_last_and_forgotten_when_it_is_over() -> None:
    """Nothing is lost of the screen."""
    farm = Farm()
    with reader_of(farm) as reader:
        await_state(reader)
        farm.fault = BrokerUnreachable("the broker does not answer")
        while not reader.state[1]:
            time.sleep(0.001)
        told, head, *_ = reader.blocks("night", 24)
        assert isinstance(told, Cell)
        assert told.text.startswith("the broker does not answer; last read ")
        assert told.text.endswith(" ago")
        assert isinstance(head, Cell)
        assert head.text.startswith("farm night")
        farm.fault = None
        while reader.state[1]:
            time.sleep(0.001)
        assert reader.blocks("night", 24)[0] != told


def test_a_broker_that_keeps_silent_holds_nobody_up() -> None:
    """What is there is drawn meanwhile, and the reader is left without waiting for it."""
    farm = Farm()
    farm.is_silent = True
    with reader_of(farm) as reader:
        assert farm.silent.wait(30)
        assert reader.blocks("night", 24)
        state = reader.state
    assert reader.state == state
    farm.speaks.set()


def test_a_fault_of_ours_ends_the_screen() -> None:
    """It would stand still for ever, and nobody would know why."""
    farm = Farm()
    farm.fault = KeyError("x")
    with reader_of(farm) as reader, pytest.raises(KeyError):
        await_state(reader)
