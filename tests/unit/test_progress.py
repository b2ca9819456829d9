"""How far a job is, as it is drawn while it runs."""

from __future__ import annotations

import io
import os
import pty
import struct
from dataclasses import replace
from fcntl import ioctl
from termios import TIOCSWINSZ

import pytest

from winepress.progress import Progress
from winepress_shared.jobs.job import Priority
from winepress_shared.ledger.events import Event
from winepress_shared.ledger.records import JobRow
from winepress_shared.state import JobState


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def row(units: int) -> JobRow:
    return JobRow(
        id="j1",
        state=JobState.QUEUED,
        kind="text-to-image",
        lane="vignette.fp16",
        user="ada",
        priority=Priority.NORMAL,
        units=units,
        done=0,
        failed=0,
        created=0.0,
        started=None,
        finished=None,
        expires=None,
        paused=False,
        reason="",
    )


def happen(progress: Progress, name: str, **fields: str) -> None:
    progress.follow(Event("1-0", name, 0.0, fields))


def test_progress_counts_pictures_and_the_steps_of_those_in_hand() -> None:
    """Half a picture in hand of four, one done: three eighths."""
    progress = Progress(row(4), io.StringIO())
    happen(progress, "running")
    happen(progress, "progress", unit="0", step="1", steps="2")
    assert progress.fraction == pytest.approx(1 / 8)
    happen(progress, "unit-done", unit="0", done="1", units="4")
    happen(progress, "progress", unit="1", step="1", steps="2")
    assert progress.fraction == pytest.approx(3 / 8)
    happen(progress, "unit-retry", unit="1")
    assert progress.fraction == pytest.approx(1 / 4)


def test_failures_of_the_past_are_counted_once_and_not_after_a_retry() -> None:
    """The row knows them, and the events tell of them again; a retry begins anew."""
    log = io.StringIO()
    progress = Progress(replace(row(4), failed=2), log)
    for unit in "01":
        happen(progress, "unit-failed", unit=unit)
    assert progress.fraction == pytest.approx(2 / 4)
    happen(progress, "failed")
    progress.close()
    assert "2 failed" in log.getvalue()
    happen(progress, "queued")
    assert progress.fraction == 0
    happen(progress, "unit-failed", unit="1")
    assert progress.fraction == pytest.approx(1 / 4)


def test_a_terminal_gets_a_bar_and_a_log_gets_few_lines() -> None:
    """A bar is redrawn in place; a log is not flooded."""
    screen, log = Screen(), io.StringIO()
    for stream in (screen, log):
        progress = Progress(row(100), stream)
        for done in range(1, 101):
            happen(progress, "unit-done", unit=str(done), done=str(done), units="100")
        progress.close()
    assert screen.getvalue().count("\n") == 1
    assert "█" in screen.getvalue()
    assert "\r" not in log.getvalue()
    assert 1 <= log.getvalue().count("\n") <= 3
    assert "100/100 pictures" in log.getvalue()


def test_the_bar_fits_into_a_narrow_terminal() -> None:
    """A line that wraps cannot be drawn over: every step would leave one behind."""
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with os.fdopen(theirs, "w") as stream:
        progress = Progress(row(100), stream)
        happen(progress, "note", message="loading vignette.fp16 from disk")
        progress.close()
        drawn = os.read(ours, 4096).decode().split("\x1b[K")[1].splitlines()[0]
    os.close(ours)
    assert 30 <= len(drawn) < 40
    assert "0/100 pictures" in drawn


def test_the_bar_is_whole_where_there_is_room() -> None:
    """Something that plays a terminal counts as an ordinary one."""
    screen = Screen()
    progress = Progress(row(2), screen)
    progress.close()
    assert screen.getvalue().startswith("\r\x1b[K" + 24 * "░" + "   0% 0/2 pictures")


@pytest.mark.parametrize("stream", [io.StringIO, Screen])
def test_what_a_worker_says_moves_no_cursor(stream: type[io.StringIO]) -> None:
    """The bar moves its own; a note stays in its line and in its place."""
    progress = Progress(row(3), screen := stream())
    progress.follow(Event("1-0", "note", 0.0, {"message": "a\x1b[2J\n\u202eb"}))
    progress.close()
    told = screen.getvalue()
    assert r"a\x1b[2J\n\u202eb" in told
    assert "\x1b[2J" not in told
    assert "\u202e" not in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("end", ["failed", "canceled", "expired", "succeeded", "unit-failed"])
def test_what_a_worker_did_is_not_said_of_a_job_that_is_over(end: str) -> None:
    """It loads nothing any more."""
    progress = Progress(row(1), screen := io.StringIO())
    happen(progress, "note", message="loading vignette.fp16")
    happen(progress, end, unit="0")
    progress.close()
    assert "loading" not in screen.getvalue()
