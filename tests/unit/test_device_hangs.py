"""A device whose driver hangs keeps its worker from starting, with a sentence."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from winepress_shared.errors import WrongUsage
from winepress_worker.options import WorkerOptions
from winepress_worker.parent.device_check import check_device_draws
from winepress_worker.parent.device_presence import check_device_presence


@pytest.fixture(autouse=True)
def hanging_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that asks a device does not end in its time."""

    def hang(command: list[str], *, timeout: float, **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)


def test_devices_that_are_not_listed_in_time_are_no_traceback() -> None:
    """The message says what hangs."""
    with pytest.raises(WrongUsage, match="did not list its devices within"):
        check_device_presence({"GPU"})


def test_a_known_picture_that_is_not_drawn_in_time_is_no_traceback() -> None:
    """The device may not serve."""
    with pytest.raises(WrongUsage, match="self-test: it drew nothing within"):
        check_device_draws(WorkerOptions("w"))
