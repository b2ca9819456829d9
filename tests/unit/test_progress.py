"""How far a job is, as its events tell it, and as it is drawn while it runs."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from support.fixed_farm import JOB
from support.played_terminal import PlayedTerminal

from winepress.views.progress import Progress
from winepress.views.progress_board import ProgressBoard
from winepress_shared.ledger.events import Event
from winepress_shared.ledger.records import JobRow
from winepress_shared.state import JobState


def row(units: int) -> JobRow:
    return replace(JOB, id="j1", state=JobState.QUEUED, units=units, done=0)


def event(name: str, at: float = 0.0, **fields: str) -> Event:
    return Event("1-0", name, at, fields)


def happen(progress: Progress, name: str, **fields: str) -> None:
    progress.take(Event("1-0", name, 0.0, fields))


def test_progress_counts_pictures_and_the_steps_of_those_in_hand() -> None:
    """Half a picture in hand of four, one done: three eighths."""
    progress = Progress(row(4))
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
    progress = Progress(replace(row(4), failed=2))
    for unit in "01":
        happen(progress, "unit-failed", unit=unit)
    assert progress.fraction == pytest.approx(2 / 4)
    happen(progress, "failed")
    assert "2 failed" in progress.text
    happen(progress, "queued")
    assert progress.fraction == 0
    happen(progress, "unit-failed", unit="1")
    assert progress.fraction == pytest.approx(1 / 4)


def test_the_pace_is_that_of_the_newest_pictures_by_the_times_of_the_events() -> None:
    """So whoever joins late knows it at once: ten a minute, and twenty pictures left."""
    progress = Progress(row(100))
    assert (progress.per_minute, progress.left_s) == (None, None)
    for done in range(1, 81):
        progress.take(event("unit-done", 6.0 * done, unit=str(done), done=str(done), units="100"))
    assert progress.per_minute == pytest.approx(10)
    assert progress.left_s == pytest.approx(120)
    assert "10.0/min, 0:02:00 left" in progress.text
    happen(progress, "succeeded")
    assert progress.left_s is None


def test_pictures_of_one_call_are_no_pace() -> None:
    """They end in the same moment; four a second are known when the next call has ended."""
    progress = Progress(row(100))
    ends = [call + 0.03 * picture for call in range(2) for picture in range(4)]
    for done, at in enumerate(ends, 1):
        assert done > 5 or progress.per_minute is None
        progress.take(event("unit-done", at, unit=str(done), done=str(done), units="100"))
    assert progress.per_minute == pytest.approx(240)


def test_a_zoom_counts_key_frames_and_then_frames() -> None:
    """The film is its last unit; a recut is nothing else."""
    progress = Progress(replace(row(4), kind="zoom-video", last_lane="film"))
    happen(progress, "unit-done", unit="2", done="3", units="4")
    assert progress.count == "3/3 key frames"
    happen(progress, "progress", unit="3", step="5", steps="20")
    assert progress.count == "3/3 key frames, 5/20 frames"
    assert progress.film == "film, 5/20 frames"
    assert Progress(replace(row(1), kind="zoom-video", lane="film")).count == "film"


def test_a_terminal_gets_a_bar_and_a_log_gets_few_lines(terminal: PlayedTerminal) -> None:
    """A bar is redrawn in place; a log is not flooded."""
    log = io.StringIO()
    for stream in (terminal, log):
        with ProgressBoard([row(100)], stream) as board:
            for done in range(1, 101):
                told = str(done)
                board.take("j1", event("unit-done", unit=told, done=told, units="100"))
    assert "━" in terminal.getvalue()
    assert terminal.last_lines[-1].startswith("j1")
    assert "100/100" in terminal.last_lines[-1]
    assert "\r" not in log.getvalue()
    assert 1 <= log.getvalue().count("\n") <= 3
    assert "100/100 pictures" in log.getvalue()


def test_of_more_jobs_than_a_terminal_has_lines_those_that_go_on_are_drawn(
    terminal: PlayedTerminal,
) -> None:
    """What is left out is counted; at the end all of them are told."""
    jobs = [replace(row(2), id=f"j{number:02}") for number in range(30)]
    with ProgressBoard(jobs, terminal) as board:
        for job in jobs[:28]:
            board.take(job.id, event("succeeded"))
        board.show(board._shortened, list, at_once=True)
        drawn = terminal.last_lines
        assert len(drawn) <= 24
        assert [line[:3] for line in drawn[1:3]] == ["j28", "j29"]
        assert "and 20 more" in drawn[-1]
    assert {job.id for job in jobs} <= {line[:3] for line in terminal.last_lines}


@pytest.mark.parametrize("is_terminal", [False, True])
def test_what_a_worker_says_moves_no_cursor(terminal: PlayedTerminal, is_terminal: bool) -> None:
    """The board moves its own; a note stays in its line and in its place."""
    stream = terminal if is_terminal else io.StringIO()
    with ProgressBoard([row(3)], stream) as board:
        board.take("j1", event("note", message="a\x1b[2J\n\u202e[red]b"))
        board.say("j1: \x1b[2J")
    told = stream.getvalue()
    assert r"a\x1b[2J\n\u202e[red]b" in told
    assert "\x1b[2J" not in told
    assert "\u202e" not in told


@pytest.mark.parametrize("end", ["failed", "canceled", "expired", "succeeded", "unit-failed"])
def test_what_a_worker_did_is_not_said_of_a_job_that_is_over(end: str) -> None:
    """It loads nothing any more."""
    progress = Progress(row(1))
    happen(progress, "note", message="loading vignette.fp16")
    assert "loading" in progress.text
    happen(progress, end, unit="0")
    assert "loading" not in progress.text
