"""Saying why nothing moves must not be what breaks the waiting."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from winepress.commands import stall_watch
from winepress.commands.stall_watch import StallWatch


class Stalled:
    """Stands for a job that waits."""

    id = "j1"
    why_stalled = "no worker is alive"


def test_an_output_that_is_closed_ends_the_watch_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`winepress watch JOB | head -1`: the thread that shows events says what there is to say."""
    monkeypatch.setattr(stall_watch, "_LOOK_S", 0.01)
    tried = threading.Semaphore(0)

    def say(handle: object, reason: str) -> None:
        tried.release()
        raise BrokenPipeError

    handle: Any = Stalled()
    with StallWatch([handle], say):
        assert tried.acquire(timeout=30)


def test_of_many_jobs_each_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look costs the broker no more than a few jobs do; each is told once."""
    monkeypatch.setattr(stall_watch, "_LOOK_S", 0.01)
    told: dict[str, int] = {}
    all_told = threading.Event()
    handles: list[Any] = [SimpleNamespace(id=f"j{n}", why_stalled="paused") for n in range(20)]

    def say(handle: Any, reason: str) -> None:
        told[handle.id] = told.get(handle.id, 0) + 1
        if len(told) == len(handles):
            all_told.set()

    with StallWatch(handles, say):
        assert all_told.wait(timeout=30)
    assert set(told.values()) == {1}
