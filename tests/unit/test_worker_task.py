"""What a ticket comes to in a rendering process that cannot be set up."""

from __future__ import annotations

import pytest
from celery import Celery

from winepress_shared.broker import RENDER
from winepress_shared.errors import DiskFull
from winepress_worker import tasks
from winepress_worker.options import WorkerOptions
from winepress_worker.parent import process


def test_a_process_that_a_full_disk_keeps_from_its_work_says_so_in_a_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each ticket tries again, and a traceback for each would bury the reason."""

    def fail(options: WorkerOptions) -> None:
        raise DiskFull("cannot keep the books of this machine's memory")

    app = Celery("test", set_as_current=False)
    app.conf[tasks.OPTIONS] = WorkerOptions("w").encode()
    monkeypatch.setattr(tasks, "the_renderer", fail)
    assert "cannot keep the books" in app.tasks[RENDER].run("vignette.fp16")
    assert [record.exc_info for record in caplog.records] == [None]


def test_a_rendering_process_can_leave_tickets(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends them by the parent's settings, without the consumer that only the parent has."""
    app = Celery("test", set_as_current=False)
    app.conf[tasks.OPTIONS] = WorkerOptions("w").encode()
    monkeypatch.setattr(process, "current_app", app)
    cycle = process.lane_cycle()  # which kombu asks for whenever a channel is opened
    cycle.update(["vignette.fp16"])
    assert cycle.rotate("vignette.fp16") == "vignette.fp16"
