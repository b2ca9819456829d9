"""systemd and probes hear of a worker as long as its supervisor goes on, and no longer."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from winepress.cli import main
from winepress_shared.errors import BrokerUnreachable
from winepress_shared.ledger.records import HeartbeatReply
from winepress_worker.parent.consumption import Consumption
from winepress_worker.parent.sign_of_life import SignOfLife
from winepress_worker.parent.supervisor import WorkerSupervisor


class OneWorkersLedger:
    """Answers beats as it is told to."""

    is_away = False

    def beat(self, *_: object) -> HeartbeatReply:
        if self.is_away:
            raise BrokerUnreachable("away")
        return HeartbeatReply((), {})

    def sweep(self) -> None:
        """Nothing waits."""


@pytest.mark.parametrize("is_away", [False, True])
def test_every_tick_is_shown_and_so_is_one_in_an_outage(is_away: bool, tmp_path: Path) -> None:
    """In an outage a worker finishes what it has; another process would reach no more."""
    ledger: Any = OneWorkersLedger()
    ledger.is_away = is_away
    consumption, file = Consumption(lambda: 0), tmp_path / "alive"
    supervisor = WorkerSupervisor(ledger, "w", {}, lambda: 0, lambda *_: None, dict, consumption)
    supervisor.show_life = SignOfLife(file).show
    for _ in range(3):
        supervisor._tick(0)
        file.unlink()


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
        SignOfLife().show()
        assert systemd.recv(100).splitlines() == [b"READY=1", b"WATCHDOG=1"]


def test_nobody_who_listens_is_no_reason_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a lost socket nor a lost folder."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    SignOfLife(tmp_path / "no folder" / "alive").show()


def test_a_file_that_cannot_be_written_is_refused_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A probe that never succeeds would start the worker again and again."""
    for path in (tmp_path, tmp_path / "no folder" / "alive"):
        assert main(["worker", "--engine", "fake", "--alive-file", str(path)]) == 2
        assert "--alive-file" in capsys.readouterr().err
