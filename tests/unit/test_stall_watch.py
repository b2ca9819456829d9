"""Saying why nothing moves must not be what breaks the waiting."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from winepress.commands import stall_watch
from winepress.commands.stall_watch import StallWatch


class Stalled:
    """Stands for a job that waits."""

    why_stalled = "no worker is alive"


def test_an_output_that_is_closed_ends_the_watch_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`winepress watch JOB | head -1`: the thread that shows events says what there is to say."""
    monkeypatch.setattr(stall_watch, "_LOOK_S", 0.01)
    tried = threading.Semaphore(0)

    def say(reason: str) -> None:
        tried.release()
        raise BrokenPipeError

    handle: Any = Stalled()
    with StallWatch(handle, say):
        assert tried.acquire(timeout=30)
