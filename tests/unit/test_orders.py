"""A renderer is told to stop, has its time to obey, and is killed when it does not."""

from __future__ import annotations

import pytest
from support.supervised_worker import LedgerOfOneWorker, lease, supervise

from winepress_shared.errors import BrokerUnreachable
from winepress_shared.ledger.records import Directive
from winepress_worker.options import DEFAULT_DRAIN_S
from winepress_worker.parent import supervisor as supervisor_module

SUPERVISOR = "winepress_worker.parent.supervisor"


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that were killed, which none of them was."""
    found: list[int] = []
    monkeypatch.setattr(
        "winepress_worker.parent.supervisor.os.kill", lambda pid, signal: found.append(pid)
    )
    return found


def test_a_renderer_is_told_again_until_it_obeys(killed: list[int]) -> None:
    """Its channel may have been cut when it was told first."""
    ledger = LedgerOfOneWorker(lease(Directive.LOST, steps=20, idle_s=0))
    supervisor = supervise(ledger, 77)
    for _ in range(2):
        supervisor._beat(77)
    assert ledger.told == ["1", "1"]


def test_a_drain_has_an_end(killed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of ten minutes is left to others, before systemd kills and an attempt counts."""
    now, exits = [1000.0], list[int]()
    monkeypatch.setattr(f"{SUPERVISOR}.time.monotonic", lambda: now[0])
    monkeypatch.setattr(f"{SUPERVISOR}.os._exit", exits.append)
    ledger = LedgerOfOneWorker(lease(Directive.OK, steps=20, idle_s=0))
    supervisor = supervise(ledger, 77)
    supervisor.draining.set()
    grace_s = DEFAULT_DRAIN_S
    for passed_s in (0, grace_s - 1, 2, supervisor_module.CANCEL_GRACE_S - 2):
        now[0] += passed_s
        supervisor._beat(77)
        assert (ledger.left, exits) == (False, [])
    assert ledger.told == ["drain", "drain", "leave", "leave"]
    now[0] += 2
    supervisor._beat(77)
    assert (ledger.left, exits, killed) == (True, [0], [])


def test_the_time_to_obey_begins_when_the_renderer_can_hear(
    killed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did not disobey while nobody could tell it, nor while it was connecting anew."""
    now = [1000.0]
    monkeypatch.setattr(f"{SUPERVISOR}.time.monotonic", lambda: now[0])
    ledger = LedgerOfOneWorker(lease(Directive.LOST, steps=20, idle_s=0))
    supervisor = supervise(ledger, 77)
    supervisor._tick(77)
    ledger.raised = BrokerUnreachable("away")
    supervisor._tick(77)
    ledger.raised = None
    grace_s = supervisor_module.CANCEL_GRACE_S
    for passed_s in (60.0, grace_s + 1, supervisor_module.RECONNECT_S - 2):
        now[0] += passed_s
        supervisor._tick(77)
        assert not killed
    now[0] += 2
    supervisor._tick(77)
    assert killed == [77]


def test_who_needs_long_for_a_step_has_two_of_them_to_obey(
    killed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large model on a processor hears of a cancel between two steps, not before."""
    now = [1000.0]
    monkeypatch.setattr(f"{SUPERVISOR}.time.monotonic", lambda: now[0])
    ledger = LedgerOfOneWorker(lease(Directive.CANCEL, steps=20, idle_s=0), step_s=30.0)
    supervisor = supervise(ledger, 77)
    for passed_s in (0, 59):
        now[0] += passed_s
        supervisor._beat(77)
        assert not killed
    now[0] += 2
    supervisor._beat(77)
    assert killed == [77]
