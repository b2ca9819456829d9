"""The supervisor kills a renderer that is stuck or deaf, and tops up tickets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.supervised_worker import LedgerOfOneWorker, lease, supervise
from support.worker_process import await_condition

from winepress_shared.errors import BrokerUnreachable
from winepress_shared.ledger.records import Directive
from winepress_shared.ticket_policy import missing_tickets
from winepress_worker.parent import supervisor as supervisor_module
from winepress_worker.parent.supervisor import STUCK_FLOOR_S


@pytest.fixture
def renderer() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing, in place of a renderer."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_a_renderer_without_a_step_for_too_long_is_killed_and_its_unit_blamed(
    renderer: subprocess.Popen[bytes],
) -> None:
    """Stuck is a failed attempt of the unit in hand."""
    ledger = LedgerOfOneWorker(lease(Directive.OK, steps=20, idle_s=STUCK_FLOOR_S + 1))
    supervise(ledger, renderer.pid)._beat(renderer.pid)
    assert renderer.wait(timeout=10) == -9
    assert ledger.failed == [(1, 7, "no step for 121 s: stuck")]


def test_slow_steps_are_not_stuck(renderer: subprocess.Popen[bytes]) -> None:
    """Ten median steps of patience: a step of a minute may take ten minutes."""
    ledger = LedgerOfOneWorker(lease(Directive.OK, steps=20, idle_s=500), step_s=60.0)
    supervise(ledger, renderer.pid)._beat(renderer.pid)
    assert ledger.failed == []


def test_loading_a_model_is_not_stuck(renderer: subprocess.Popen[bytes]) -> None:
    """Before the first step a model may have to be prepared and compiled."""
    ledger = LedgerOfOneWorker(lease(Directive.OK, steps=0, idle_s=600))
    supervise(ledger, renderer.pid)._beat(renderer.pid)
    assert ledger.failed == []


def test_steps_drawn_while_the_broker_was_away_are_not_missed(
    renderer: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could report them: after an outage the step clock begins anew, and then runs."""
    now = [1000.0]
    monkeypatch.setattr("winepress_worker.parent.supervisor.time.monotonic", lambda: now[0])
    ledger = LedgerOfOneWorker(lease(Directive.OK, steps=20, idle_s=10 * STUCK_FLOOR_S))
    supervisor = supervise(ledger, renderer.pid)
    ledger.raised = BrokerUnreachable("away")
    supervisor._tick(renderer.pid)
    ledger.raised = None
    for passed_s in (0, STUCK_FLOOR_S - 1):
        now[0] += passed_s
        supervisor._tick(renderer.pid)
        assert renderer.poll() is None
        assert not ledger.failed
    now[0] += 2
    supervisor._tick(renderer.pid)
    assert renderer.wait(timeout=10) == -9


def test_a_fault_of_ours_does_not_end_the_beats() -> None:
    """A worker that draws and does not beat would lose every slice, for as long as it lives."""
    ledger = LedgerOfOneWorker()
    ledger.raised = ZeroDivisionError("nobody thought of that")
    supervisor = supervise(ledger, 0)
    supervisor._tick(0)
    ledger.raised = None
    supervisor._tick(0)
    assert ledger.beats == 2


@pytest.mark.parametrize("directive", [Directive.CANCEL, Directive.LOST])
def test_a_renderer_that_does_not_obey_is_killed_after_the_grace(
    renderer: subprocess.Popen[bytes], directive: Directive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first beat only starts the clock; the second one, after the grace, ends it."""
    now = [1000.0]
    monkeypatch.setattr("winepress_worker.parent.supervisor.time.monotonic", lambda: now[0])
    supervisor = supervise(LedgerOfOneWorker(lease(directive, steps=20, idle_s=0)), renderer.pid)
    supervisor._beat(renderer.pid)
    assert renderer.poll() is None
    now[0] += supervisor_module.CANCEL_GRACE_S + 1
    supervisor._beat(renderer.pid)
    assert renderer.wait(timeout=10) == -9


def test_a_draining_worker_tells_its_renderer_at_every_beat() -> None:
    """One lost message does not keep a worker from leaving."""
    ledger = LedgerOfOneWorker()
    supervisor = supervise(ledger, 0)
    supervisor._beat(0)
    supervisor.draining.set()
    supervisor._beat(0)
    supervisor._beat(0)
    assert ledger.told == ["drain", "drain"]


def test_a_lane_gets_a_ticket_per_worker_at_most_and_none_beyond_its_units() -> None:
    """Three workers live: 9 units want three tickets, 2 units two; a queued ticket counts."""
    sent: list[tuple[str, int]] = []
    ledger = LedgerOfOneWorker()
    ledger.lanes = [("a.fp16", 9, 0), ("b.fp16", 2, 0), ("c.fp16", 9, 2), ("d.fp16", 9, 3)]
    supervise(ledger, 0, sent)._tick(0)
    assert sent == [("a.fp16", 3), ("b.fp16", 2), ("c.fp16", 1)]


def test_no_sweep_is_asked_for_where_another_worker_has_swept() -> None:
    """A thousand workers beat, and the farm needs a sweep every two seconds."""
    ledger = LedgerOfOneWorker()
    supervisor = supervise(ledger, 0)
    for is_due, swept in ((False, []), (True, [False]), (False, [False])):
        ledger.is_sweep_due = is_due
        supervisor._tick(0)
        assert ledger.swept == swept


def test_what_a_dead_renderer_held_gets_tickets_at_once() -> None:
    """Free workers wait for them, and the next sweep of the farm may be five seconds away."""
    ledger, pid = LedgerOfOneWorker(), [1]
    tickets: list[tuple[str, int]] = []
    supervisor = supervise(ledger, 0, tickets)
    supervisor._renderer_pid = lambda: pid[0]
    ledger.is_sweep_due = False
    supervisor.start()
    try:
        await_condition(lambda: ledger.swept == [True])
        ledger.lanes = [("a.fp16", 1, 0)]
        pid[0] = 2
        await_condition(lambda: tickets == [("a.fp16", 2)])  # one may come to the worker itself
    finally:
        supervisor.stop()


def test_stopping_leaves_the_farm() -> None:
    """A worker that stops on purpose hands its slices back at once."""
    ledger = LedgerOfOneWorker()
    supervisor = supervise(ledger, 0)
    supervisor.start()
    supervisor.stop()
    assert ledger.left
    assert not supervisor.is_alive()


@pytest.mark.parametrize(
    ("units", "workers", "queued", "missing"),
    [(9, 3, 0, 3), (2, 3, 0, 2), (9, 3, 5, 0), (10_000, 1000, 0, 32), (10_000, 1000, 30, 2)],
)
def test_a_large_farm_has_no_ticket_for_each_worker_and_lane(
    units: int, workers: int, queued: int, missing: int
) -> None:
    """Whoever works on a ticket issues the next: a few are enough, whatever the farm's size."""
    assert missing_tickets(units, workers, queued) == missing


def test_a_lane_the_renderer_cannot_serve_is_soon_none_of_this_worker() -> None:
    """So that others do not leave work to it; it comes back with the lane it served before."""
    ledger = LedgerOfOneWorker()
    supervisor = supervise(ledger, 0)
    for unfit, lanes in (({}, ["a.fp16"]), ({"a.fp16": "broken"}, []), ({}, ["a.fp16"])):
        ledger.unfit = unfit
        supervisor._tick(0)
        assert ledger.facts["lanes"] == lanes or supervisor._urgent, "it does not wait for its beat"
        supervisor._tick(0)
        assert ledger.facts["lanes"] == lanes


def test_a_renderer_stuck_over_several_pictures_is_killed_and_none_is_blamed(
    renderer: subprocess.Popen[bytes],
) -> None:
    """Nobody can say which of them it is: each is tried alone next time."""
    ledger = LedgerOfOneWorker(lease(Directive.OK, steps=20, idle_s=10 * STUCK_FLOOR_S))
    ledger.is_shared = True
    supervise(ledger, renderer.pid)._beat(renderer.pid)
    assert renderer.wait(timeout=10) == -9
    assert not ledger.failed
