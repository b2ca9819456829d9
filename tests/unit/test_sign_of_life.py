"""systemd and probes hear of a worker as long as it goes on taking what waits, and no longer."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from winepress.cli import main
from winepress_shared.errors import BrokerUnreachable
from winepress_shared.ledger.records import Directive, HeartbeatReply, Lease
from winepress_worker.parent.sign_of_life import PATIENCE_S, SignOfLife
from winepress_worker.parent.supervisor import WorkerSupervisor

Passing = Callable[[float], None]


@pytest.fixture
def pass_s(monkeypatch: pytest.MonkeyPatch) -> Passing:
    """Lets time pass."""
    now = [1000.0]

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("winepress_worker.parent.sign_of_life.time.monotonic", lambda: now[0])
    return pass_by


class OneWorkersLedger:
    """Answers beats as it is told to."""

    def __init__(self) -> None:
        self.is_away = False
        self.leases: tuple[Lease, ...] = ()

    def beat(self, *_: object) -> HeartbeatReply:
        if self.is_away:
            raise BrokerUnreachable("away")
        return HeartbeatReply(self.leases, {})

    def tell(self, *_: object) -> None:
        """Whatever it is told."""

    def sweep(self) -> None:
        """Nothing waits."""


def _has_been_touched(file: Path) -> bool:
    is_there = file.exists()
    file.unlink(missing_ok=True)
    return is_there


def _supervisor(ledger: OneWorkersLedger, file: Path) -> WorkerSupervisor:
    """Of a worker that never asks for a ticket."""
    sign = SignOfLife(lambda: -math.inf, file)
    return WorkerSupervisor(ledger, "w", {}, lambda: 0, lambda *_: None, dict, sign)  # type: ignore[arg-type]


def test_a_worker_that_asks_for_tickets_shows_it(tmp_path: Path, pass_s: Passing) -> None:
    """However long nothing comes."""
    sign = SignOfLife(time.monotonic, tmp_path / "alive")
    for _ in range(3):
        pass_s(10 * PATIENCE_S)
        sign.show()
        assert _has_been_touched(tmp_path / "alive")


def test_a_worker_that_beats_but_asks_for_no_tickets_shows_nothing_after_a_while(
    tmp_path: Path, pass_s: Passing, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so once."""
    supervisor = _supervisor(OneWorkersLedger(), tmp_path / "alive")
    supervisor._tick(0)
    assert _has_been_touched(tmp_path / "alive"), "it has only just begun"
    for _ in range(3):
        pass_s(PATIENCE_S + 1)
        supervisor._tick(0)
        assert not _has_been_touched(tmp_path / "alive")
    assert caplog.text.count("asked for no ticket") == 1


@pytest.mark.parametrize("excuse", ["the broker is away", "it draws", "it drains"])
def test_a_worker_that_is_well_is_not_ended_for_asking_for_nothing(
    excuse: str, tmp_path: Path, pass_s: Passing
) -> None:
    """In an outage it finishes what it has; another process would reach the broker no better."""
    ledger = OneWorkersLedger()
    supervisor = _supervisor(ledger, tmp_path / "alive")
    ledger.is_away = excuse == "the broker is away"
    if excuse == "it draws":
        ledger.leases = (Lease(1, Directive.OK, 7, 1, 0, "vignette.fp16"),)
    if excuse == "it drains":
        supervisor.draining.set()
    for _ in range(3):
        pass_s(10 * PATIENCE_S)
        supervisor._tick(0)
        assert _has_been_touched(tmp_path / "alive")
    ledger.is_away, ledger.leases = False, ()
    supervisor.draining.clear()
    pass_s(PATIENCE_S - 1)
    supervisor._tick(0)
    assert _has_been_touched(tmp_path / "alive"), "its time begins when the excuse ends"


@pytest.mark.parametrize("is_abstract", [False, True])
def test_systemd_hears_that_it_serves_and_goes_on(
    is_abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a path, or in the kernel's own name space."""
    name = f"@winepress-{tmp_path.name}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name.replace("@", "\0", 1))
        systemd.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        SignOfLife(lambda: math.inf).show()
        assert systemd.recv(100).splitlines() == [b"READY=1", b"WATCHDOG=1"]


def test_nobody_who_listens_is_no_reason_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a lost socket nor a lost folder."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    SignOfLife(lambda: math.inf, tmp_path / "no folder" / "alive").show()


def test_a_file_that_cannot_be_written_is_refused_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A probe that never succeeds would start the worker again and again."""
    for path in (tmp_path, tmp_path / "no folder" / "alive"):
        assert main(["worker", "--engine", "fake", "--alive-file", str(path)]) == 2
        assert "--alive-file" in capsys.readouterr().err
