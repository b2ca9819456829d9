"""A store that does not get over errors of its disk is started again."""

from __future__ import annotations

import threading
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from winepress_deploy.services.quarantine import QuarantineWatch

TOLD = b"W1127 store.go:523 volume 1 quarantined after 3 consecutive IO errors: write 1.dat\n"
_WAIT_S = 30.0


@pytest.fixture(autouse=True)
def _is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_EVERY_S", "_REST_S"):
        monkeypatch.setattr(f"winepress_deploy.services.quarantine.{name}", 0.01)


@pytest.mark.parametrize("cut", [0, 20, 40, len(TOLD)])
def test_each_quarantine_that_is_told_of_starts_it_once(tmp_path: Path, cut: int) -> None:
    """However the log is read, whatever it said before, and also when it is begun anew."""
    log, starts, said = tmp_path / "log", SimpleQueue[bool](), list[str]()
    log.write_bytes(TOLD)
    looks = threading.Event()
    with QuarantineWatch(log, lambda: starts.put(True), said.append):
        for _ in range(2):
            with log.open("ab", buffering=0) as file:
                file.write(TOLD[:cut])
                looks.wait(0.05)
                file.write(TOLD[cut:] + b"nothing else\n")
            starts.get(timeout=_WAIT_S)
        log.unlink()
        log.write_bytes(TOLD)
        starts.get(timeout=_WAIT_S)
    with pytest.raises(Empty):
        starts.get_nowait()
    assert len(said) == 3
    assert all(str(log) in line for line in said)


def test_a_log_that_is_not_there_stops_nothing(tmp_path: Path) -> None:
    """It may be renamed at any moment."""
    starts = SimpleQueue[bool]()
    with QuarantineWatch(tmp_path / "log", lambda: starts.put(True)):
        (tmp_path / "log").write_bytes(TOLD)
        starts.get(timeout=_WAIT_S)
