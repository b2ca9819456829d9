"""A worker that lives and takes nothing is found out."""

from __future__ import annotations

from typing import Any

import pytest

from winepress_shared.errors import BrokerUnreachable
from winepress_shared.ledger.records import Directive, HeartbeatReply, Lease
from winepress_worker.lane_order import LaneCycle
from winepress_worker.parent.consumption import FIRST_ASK_S, Consumption
from winepress_worker.parent.supervisor import ASK_LIMIT_S, LOAD_LIMIT_S, WorkerSupervisor

SUPERVISOR = "winepress_worker.parent.supervisor"
PID = 77
SLICE = Lease(1, Directive.OK, 7, 0, 0, "vignette.fp16")


class _Worker:
    """A supervisor whose time, tickets and slices a test decides."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.tickets = 0
        self.leases: tuple[Lease, ...] = ()
        self.is_away = False
        self.killed: list[int] = []
        self.exits: list[int] = []
        self.left: list[str] = []
        monkeypatch.setattr(f"{SUPERVISOR}.time.monotonic", lambda: self.now)
        monkeypatch.setattr(f"{SUPERVISOR}.os.kill", lambda pid, _: self.killed.append(pid))
        monkeypatch.setattr(f"{SUPERVISOR}.os._exit", self.exits.append)
        self.consumption = Consumption(lambda: self.tickets, lambda: self.now)
        stub: Any = self
        self.supervisor = WorkerSupervisor(
            stub, "w", {}, lambda: PID, lambda *_: None, dict, self.consumption
        )

    def beat(self, *_: object, **__: object) -> HeartbeatReply:
        if self.is_away:
            raise BrokerUnreachable("away")
        return HeartbeatReply(self.leases, {})

    def sweep(self) -> None:
        """Another worker did."""

    def leave(self, worker: str, life: str) -> None:
        self.left.append(worker)

    def tick(self, *passed_s: float) -> None:
        for one_s in passed_s:
            self.now += one_s
            self.supervisor._tick(PID)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> _Worker:
    return _Worker(monkeypatch)


def test_whoever_asks_for_tickets_lives(worker: _Worker) -> None:
    """The cycle of lanes is asked whenever the consumer is about to wait for a ticket."""

    class Nothing:
        def choose(self) -> tuple[list[str], list[str]]:
            return [], []

    watch: Any = Nothing()
    cycle = LaneCycle(watch, worker.consumption.asked)
    for _ in range(10):
        cycle.consume(1)
        worker.tick(ASK_LIMIT_S - 1)
    assert (worker.killed, worker.exits) == ([], [])


def test_a_consumer_that_asks_no_more_ends_its_worker(worker: _Worker) -> None:
    """As after a reset of the broker: it beats, and takes nothing for ever."""
    worker.consumption.asked()
    worker.tick(ASK_LIMIT_S - 1)
    assert worker.exits == []
    worker.tick(2)
    assert (worker.left, len(worker.exits)) == (["w"], 1)
    assert worker.exits != [0]


def test_who_loads_before_the_first_ticket_has_the_time_for_it(worker: _Worker) -> None:
    """A pinned model may have to be compiled before anybody asks."""
    worker.tick(FIRST_ASK_S, ASK_LIMIT_S - 1)
    assert worker.exits == []


def test_an_outage_of_the_broker_is_nobodys_fault(worker: _Worker) -> None:
    """The time begins anew when it is over."""
    worker.consumption.asked()
    worker.is_away = True
    worker.tick(3600)
    worker.is_away = False
    worker.tick(ASK_LIMIT_S - 1)
    assert worker.exits == []
    worker.tick(2)
    assert len(worker.exits) == 1


def test_a_ticket_with_slices_may_take_as_long_as_it_takes(worker: _Worker) -> None:
    """Steps are watched, see the step clock; here only whether there are any slices."""
    worker.tickets, worker.leases = 1, (SLICE,)
    worker.tick(*[LOAD_LIMIT_S] * 5)
    assert (worker.killed, worker.exits) == ([], [])


def test_a_renderer_that_has_a_ticket_and_no_slice_for_long_is_replaced(worker: _Worker) -> None:
    """It hangs in a driver, where no lease shows it; if that does not help, the worker ends."""
    worker.tickets = 1
    worker.tick(0, LOAD_LIMIT_S - 1)
    assert worker.killed == []
    worker.tick(2)
    assert (worker.killed, worker.exits) == ([PID], [])
    worker.tick(LOAD_LIMIT_S)
    assert len(worker.exits) == 1


def test_a_worker_that_leaves_need_not_ask(worker: _Worker) -> None:
    """It ends what it has in hand, however long that takes."""
    worker.consumption.asked()
    worker.supervisor.draining.set()
    worker.supervisor._ledger.tell = lambda *_: None  # type: ignore[method-assign]
    worker.tick(10 * ASK_LIMIT_S)
    assert worker.exits == []
