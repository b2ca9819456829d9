"""A live board of a farm while some jobs run: how many pictures are done, and who draws them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TextIO

from winepress import Client, JobHandle
from winepress.views.farm_board import FarmBoard
from winepress_shared.polling import poll
from winepress_shared.screen.board import Board
from winepress_shared.screen.table import Block, Cell

_LOOK_S = 0.25  #: between two updates
_LINE_S = 2.0  #: between two lines if the output is not a terminal
_MOST_LINES = 20  #: what a demo shows of a farm
_MOST_ROWS = 20


class JobsBoard:
    """Shows some jobs until they end."""

    def __init__(
        self, client: Client, handles: Sequence[JobHandle], stream: TextIO | None = None
    ) -> None:
        self._farm = client.settings.farm
        self._snapshots = client.snapshots
        self._handles = handles
        self._stream = stream or sys.stdout
        self._began = time.monotonic()

    def watch(self, until: float, timeout_s: float) -> int:
        """Redraw until the fraction ``until`` of all pictures is done; returns the number done.

        Raises TimeoutError after ``timeout_s`` seconds.
        """
        done = 0

        def is_done() -> bool:
            nonlocal done
            rows = [handle.status() for handle in self._handles]
            done, units = sum(row.done for row in rows), sum(row.units for row in rows)
            is_over = all(row.state.is_terminal for row in rows)
            self._show(board, done, units, at_once=is_over)
            return is_over or done >= until * units

        with Board(self._stream, line_s=_LINE_S) as board:
            if not poll(is_done, every_s=_LOOK_S, timeout_s=timeout_s):
                raise TimeoutError(f"{done} pictures after {timeout_s:.0f} s")
        return done

    def _show(self, board: Board, done: int, units: int, *, at_once: bool) -> None:
        rate = 60 * done / max(time.monotonic() - self._began, 1e-3)
        text = f"{done} of {units} pictures, {rate:.0f} per minute"

        def blocks() -> list[Block]:
            farm = FarmBoard(self._farm, self._snapshots.take(_MOST_ROWS, _MOST_ROWS))
            return [Cell(text), *farm.blocks(min(board.size.lines - 2, _MOST_LINES))]

        board.show(blocks, lambda: [f"   {text}"], at_once=at_once)
