"""The farm on a terminal, drawn anew as it changes until a key ends that."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Self

from winepress.console import INTERRUPTED, Console
from winepress.views.farm_board import FarmBoard
from winepress.views.job_table import brief
from winepress.views.keys import Keys
from winepress_shared.errors import WinepressError
from winepress_shared.ledger.snapshot import FarmSnapshot, Snapshots
from winepress_shared.screen.board import Board
from winepress_shared.screen.output import write_table
from winepress_shared.screen.surface import can_draw
from winepress_shared.screen.table import Block, Cell, Table, Tone
from winepress_shared.settings import Settings
from winepress_shared.terminal import write_line

_READ_S = 1.0  #: least time between two reads of the farm
_KEY_S = 0.2  #: between two looks whether there is something new to draw
_MOST_WORKERS, _MOST_JOBS = 200, 100  #: read; no screen has room for more


def show_farm(settings: Settings, *, json_lines: bool) -> int:
    """Draw lanes, workers and jobs until q or Ctrl-C; returns the exit code.

    Where the output is no terminal, and with ``json_lines``, they are written once. Raises
    BrokerUnreachable where the first look at the farm fails.
    """
    with Snapshots(settings) as snapshots:
        farm = snapshots.take(_MOST_WORKERS, _MOST_JOBS)
        if json_lines:
            Console(json_lines=True).result(asdict(farm))
        elif can_draw(sys.stdout):
            with _Reader(snapshots, farm) as reader:
                return _draw(settings.farm, reader)
        else:
            _write(FarmBoard(settings.farm, farm).blocks())
    return 0


def _write(blocks: list[Block]) -> None:
    for block in blocks:
        if isinstance(block, Table):
            write_table(sys.stdout, block)
        else:
            write_line(sys.stdout, block.text)


def _draw(name: str, reader: _Reader) -> int:
    """Draw until a key or a signal ends it; returns the exit code."""
    while True:
        try:
            _draw_until_key(name, reader)
        except _Suspended:
            os.kill(os.getpid(), signal.SIGSTOP)  # the shell's, until it says `fg`
        except (KeyboardInterrupt, EOFError):  # the latter where the terminal is gone
            return INTERRUPTED
        else:
            return 0


def _draw_until_key(name: str, reader: _Reader) -> None:
    drawn: object = None
    with (
        _undisturbed(),
        Keys(sys.stdin) as keys,
        Board(sys.stdout, whole_screen=True) as board,
    ):
        while not set("qQ") & set(keys.pressed(_KEY_S if drawn else 0)):
            state = (*reader.state, board.size)
            if state != drawn:
                drawn = state
                board.draw(reader.blocks(name, board.size.lines))


class _Suspended(Exception):
    """Ctrl-Z was pressed."""


class _Reader:
    """Reads the farm in a thread of its own: a slow broker holds no key up."""

    def __init__(self, snapshots: Snapshots, farm: FarmSnapshot) -> None:
        self._snapshots = snapshots
        self._farm = farm
        self._read_at = time.monotonic()
        self._problem = ""
        self._fault: Exception | None = None
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, name="top", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()  # and not waited for: the broker may be silent

    @property
    def state(self) -> tuple[object, ...]:
        """What is another one when there is something new to draw; raises what ended the thread."""
        if self._fault:
            raise self._fault
        return id(self._farm), self._problem, self._problem and int(self._age_s)

    def blocks(self, name: str, height: int) -> list[Block]:
        """The newest look at the farm, with what is wrong since."""
        board = FarmBoard(name, self._farm)
        if not self._problem:
            return board.blocks(height)
        told = f"{self._problem}; last read {brief(self._age_s)} ago"
        return [Cell(told, Tone.BAD), *board.blocks(height - 1)]

    @property
    def _age_s(self) -> float:
        return time.monotonic() - self._read_at

    def _run(self) -> None:
        try:
            while not self._over.wait(_READ_S):
                self._read()
        except Exception as error:  # noqa: BLE001 - the edge of the thread: `state` raises it
            self._fault = error

    def _read(self) -> None:
        try:
            self._farm = self._snapshots.take(_MOST_WORKERS, _MOST_JOBS)
            self._snapshots.watch(self._farm)
        except WinepressError as error:
            self._problem = error.problem
        else:
            self._problem, self._read_at = "", time.monotonic()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No line of a log on the screen, and whatever signal comes, the screen is given back."""

    def leave(number: int, _: object) -> None:
        if number == signal.SIGTSTP:
            raise _Suspended
        sys.exit(128 + number)

    signals = (signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)
    before = {number: signal.signal(number, leave) for number in signals}
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        for number, earlier in before.items():
            signal.signal(number, earlier)
