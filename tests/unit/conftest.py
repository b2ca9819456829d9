"""For all unit tests: property tests without deadlines, and a client without a broker."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from support.failing_ledger import FailingLedger
from support.played_terminal import PlayedTerminal

from winepress import Client
from winepress_shared.settings import Settings

# The machine may be busy with others.
settings.register_profile("winepress", deadline=None)
settings.load_profile("winepress")


@pytest.fixture
def ledger() -> FailingLedger:
    """Stands for the broker of `client`."""
    return FailingLedger()


@pytest.fixture
def client(ledger: FailingLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A producer whose store is a folder."""
    one = Client(Settings(store_folder=tmp_path))
    one.__dict__["ledger"] = one.__dict__["pending"] = one.__dict__["farm"] = ledger
    monkeypatch.setattr("winepress_shared.broker.send_tickets", lambda app, lane, count=1: None)
    return one


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> PlayedTerminal:
    """One of 80 columns and 24 lines, in colour."""
    for name in ("NO_COLOR", "COLORTERM", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return PlayedTerminal()
