"""What the commands draw, from fixed data: at 80 and at 140 columns, without colour, and in a pipe.

The screens are files in `screens/`; a change of one is to be looked at. To write them anew, remove
them and run these tests twice.
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import pytest
from support.fixed_farm import FARM, JOB, JOBS, NOW, WORKERS
from support.played_terminal import PlayedTerminal

from winepress.views.farm_board import FarmBoard
from winepress.views.job_table import JobTable
from winepress.views.progress_board import ProgressBoard
from winepress.views.worker_table import WorkerTable
from winepress_shared.ledger.events import Event
from winepress_shared.screen import surface
from winepress_shared.screen.board import Board
from winepress_shared.screen.output import write_table
from winepress_shared.screen.table import Block, Table
from winepress_shared.terminal import plain_handler
from winepress_worker.commands.models_table import table as models_table

SCREENS = Path(__file__).parent / "screens"
_COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3|4|9|10)\d[;m]")


def list_table() -> Table:
    table = JobTable(NOW)
    for row in JOBS:
        table.add_job(row)
    return table


def status_table() -> Table:
    table = JobTable(NOW)
    table.add_job(JOBS[0], ["Pictures that go before it: 20.", "Time limit: 0:02:00."], 61.0)
    return table


def workers_table() -> Table:
    table = WorkerTable(FARM)
    for worker in WORKERS:
        table.add_worker(worker, ["serves: film, vignette (fp16)"])
    return table


def models() -> Table:
    common = {"licence": "CreativeML OpenRAIL-M, MIT", "published": False, "warm_on": []}
    rows: list[dict[str, Any]] = [
        {**common, "model": "vignette", "precision": "fp16", "size_bytes": 28_000_000}
        | {"memory_mib": 400, "state": "prepared", "warm_on": ["host-cpu-1", "host-gpu-1"]},
        {**common, "model": "vignette", "precision": "int8", "size_bytes": 0}
        | {"memory_mib": 300, "state": "on demand", "published": True},
        {**common, "model": "sdxl-turbo-tiny", "precision": "fp16", "size_bytes": 0}
        | {"memory_mib": 13_900, "state": "not here"},
    ]
    return models_table(rows)


def write(stream: TextIO, blocks: Sequence[Block]) -> None:
    """As `winepress top` and the tables do it, but on no screen of their own."""
    for block in blocks:
        if isinstance(block, Table):
            write_table(stream, block)
        else:
            stream.write(f"{block.text}\n")


def watch(stream: TextIO) -> None:
    with ProgressBoard(JOBS, stream) as board:
        for step, done in ((0, 25), (6, 26)):
            fields = {"unit": str(done), "done": str(done), "units": "60"}
            board.take(JOB.id, Event("1-0", "unit-done", NOW + step, fields))
        board.note(JOB.id, f"preview: previews/{JOB.id}-000026.preview.jpg")


SHOWN: dict[str, Callable[[TextIO], None]] = {
    "list": lambda stream: write_table(stream, list_table()),
    "status": lambda stream: write_table(stream, status_table()),
    "workers": lambda stream: write_table(stream, workers_table()),
    "models-list": lambda stream: write_table(stream, models()),
    "watch": watch,
    "top": lambda stream: write(stream, FarmBoard("night", FARM).blocks()),
}


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def check(name: str, text: str) -> None:
    path = SCREENS / f"{name}.txt"
    if not path.exists():
        path.write_text(text, "utf-8")
        pytest.fail(f"{path} is new: look at it")
    assert text == path.read_text("utf-8")


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("screen", SHOWN)
def test_a_screen_is_drawn_as_agreed(
    screen: str, columns: int, terminal: PlayedTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In colour, no line longer than the terminal is wide, every id whole."""
    monkeypatch.setattr(surface, "_SIZE", os.terminal_size((columns, 60)))
    SHOWN[screen](terminal)
    assert _COLOUR.search(terminal.getvalue())
    lines = terminal.last_lines if screen == "watch" else terminal.plain_lines
    assert max(map(surface.width_of, lines)) <= columns
    check(f"{screen}-{columns}", "\n".join(lines) + "\n")


@pytest.mark.parametrize("columns", range(48, 80, 4))
@pytest.mark.parametrize("screen", ["list", "watch", "top"])
def test_a_narrow_terminal_gets_what_matters_in_whole_words(
    screen: str, columns: int, terminal: PlayedTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Job, state and how far it is; the bar goes before any of them is torn."""
    monkeypatch.setattr(surface, "_SIZE", os.terminal_size((columns, 60)))
    SHOWN[screen](terminal)
    (row,) = (line for line in terminal.last_lines if line.startswith(JOB.id))
    assert row.split()[1] == "running"


@pytest.mark.parametrize("screen", SHOWN)
def test_a_pipe_gets_plain_lines(screen: str) -> None:
    """No colour, no box, no bar; a record is a line, and nothing of it is cut off."""
    SHOWN[screen](pipe := io.StringIO())
    check(f"{screen}-pipe", pipe.getvalue())
    assert not set(pipe.getvalue()) & set("\x1b\r━╸╺│─")


@pytest.mark.parametrize("screen", SHOWN)
def test_no_colour_where_none_is_wanted(
    screen: str, terminal: PlayedTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR takes the colours, and not the words."""
    monkeypatch.setenv("NO_COLOR", "1")
    SHOWN[screen](terminal)
    assert not _COLOUR.search(terminal.getvalue())
    assert JOBS[0].id in terminal.text or screen == "models-list"


@pytest.mark.parametrize("kind", ["dumb", "unknown", ""])
@pytest.mark.parametrize("screen", SHOWN)
def test_a_dumb_terminal_gets_what_a_pipe_gets(
    screen: str, kind: str, terminal: PlayedTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would show what draws as letters."""
    monkeypatch.setenv("TERM", kind)
    SHOWN[screen](terminal)
    SHOWN[screen](pipe := io.StringIO())
    assert terminal.getvalue() == pipe.getvalue()


def test_top_fits_into_a_low_terminal() -> None:
    """What there is no room for is counted."""
    farm = replace(FARM, jobs=tuple(replace(JOB, id=f"j{n:020}") for n in range(50)))
    blocks = FarmBoard("night", farm).blocks(24)
    rows = [len(block.rows) for block in blocks if isinstance(block, Table)]
    assert rows == [2, 3, 8]
    assert "and 42 more" in [block.text for block in blocks if not isinstance(block, Table)]


@pytest.mark.parametrize(
    ("silent_s", "state"), [(9, "drawing"), (12, "silent 12s"), (40, "silent 40s")]
)
def test_a_worker_that_missed_two_heartbeats_is_not_shown_as_it_was(
    silent_s: int, state: str
) -> None:
    """A killed one would else be drawing for as long as it is listed."""
    drawing = WORKERS[0]
    table = WorkerTable(replace(FARM, at=drawing.seen + silent_s))
    table.add_worker(drawing)
    write_table(pipe := io.StringIO(), table)
    assert state in pipe.getvalue()


def test_a_remark_stays_above_a_board_and_others_may_write_in_between(
    terminal: PlayedTerminal,
) -> None:
    """Remarks of a job, and the paths of pictures, which go to another stream of the terminal."""
    with Board(terminal) as board:
        board.draw([list_table()])
        board.say("first [red]\x1b[2J")
        with board.aside():
            terminal.write("second\n")
        board.draw([list_table()])
    assert terminal.text.index(r"first [red]\x1b[2J") < terminal.text.index("second")
    assert terminal.last_lines[0].startswith("JOB")


def test_a_board_leaves_room_for_what_a_terminal_writes_at_ctrl_c(
    terminal: PlayedTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the last line it writes ^C; in a full line that would begin another one."""
    monkeypatch.setattr(surface, "_SIZE", os.terminal_size((100, 60)))
    with Board(terminal) as board:
        board.draw([list_table()])
        assert max(map(len, terminal.text.split("\n"))) <= 98


def test_a_log_stays_above_a_board(
    terminal: PlayedTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage that is ridden out is told while a job is watched."""
    monkeypatch.setattr(sys, "stderr", terminal)
    handler = plain_handler("winepress: %(message)s")
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    with Board(terminal) as board:
        board.draw([list_table()])
        logging.getLogger("winepress.outage").warning("still waiting: %s", "a\x1b[2J[red]")
        told, heads = terminal.last_lines[:2]
        assert told == r"winepress: still waiting: a\x1b[2J[red]"
        assert heads.startswith("JOB ")
    handler.handle(logging.makeLogRecord({"msg": "after"}))
    assert terminal.last_lines[-1] == "winepress: after"
