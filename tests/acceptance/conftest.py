"""The command against a farm of the test's own."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from support.browser import running_browser
from support.command_line import WINEPRESS, Run, environment
from support.manual_worker import LANE, ManualWorker

from winepress_shared.settings import Settings

_PATIENCE_MS = 60_000  #: for what a browser is to show


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a module; each has its own tab and an empty cache."""
    expect.set_options(timeout=_PATIENCE_MS)
    with running_browser() as one:
        yield one


@pytest.fixture
def run(farm_settings: Settings, tmp_path: Path) -> Run:
    """Run ``winepress`` against the test's farm."""

    def one(*words: str, text: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [WINEPRESS, *words],
            cwd=tmp_path,
            env=environment(farm_settings) | variables,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return one


@pytest.fixture
def rendering(manual_worker: ManualWorker) -> Any:
    """A worker that renders the next job as soon as its ticket comes."""
    manual_worker.live(LANE)

    def start(failing: tuple[int, ...] = ()) -> threading.Thread:
        def serve() -> None:
            manual_worker.await_ticket(LANE)
            manual_worker.work(LANE, failing=failing)

        thread = threading.Thread(target=serve)
        thread.start()
        return thread

    return start
