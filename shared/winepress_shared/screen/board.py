"""A board: redrawn in place on a terminal, occasional lines elsewhere."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, TextIO, cast

from winepress_shared.screen.surface import can_draw, size_of
from winepress_shared.screen.table import Block
from winepress_shared.terminal import write_line

if TYPE_CHECKING:
    from winepress_shared.screen.drawing import Canvas

_DRAW_S = 0.1  #: least time between two drawings


class Board:
    """Shows what changes while its ``with`` block runs; may be used from several threads.

    Methods raise OSError.
    """

    def __init__(self, stream: TextIO, *, line_s: float = 10.0, whole_screen: bool = False) -> None:
        """``line_s`` is the least time between two plain lines."""
        self._stream = stream
        self._whole_screen = whole_screen
        self._turn = threading.RLock()  # remarks come from another thread
        self._canvas: Canvas | None = None
        self._pause_s = _DRAW_S if can_draw(stream) else line_s
        self._shown_at = (
            time.monotonic()
        )  # nothing is shown before the first interval, so past events are read first
        self._lines: list[str] = []
        self._logs: list[logging.StreamHandler[TextIO]] = []

    def __enter__(self) -> Self:
        if can_draw(self._stream):
            from winepress_shared.screen.drawing import Canvas  # imports rich

            self._canvas = Canvas(self._stream, whole_screen=self._whole_screen)
            self._logs = _terminal_logs()
            for log in self._logs:
                log.setStream(cast("TextIO", _Remarks(self)))
        return self

    def __exit__(self, *_: object) -> None:
        for log in self._logs:
            log.setStream(sys.stderr)
        with self._turn:
            if self._canvas:
                self._canvas.close()

    @property
    def size(self) -> os.terminal_size:
        """Columns and lines of the terminal."""
        return size_of(self._stream)

    def draw(self, blocks: Sequence[Block]) -> None:
        """Draw on a terminal now; nothing elsewhere."""
        with self._turn:
            if self._canvas:
                self._canvas.draw(blocks)

    def show(
        self,
        blocks: Callable[[], Sequence[Block]],
        lines: Callable[[], Iterable[str]],
        *,
        at_once: bool = False,
    ) -> None:
        """Draw the ``blocks`` on a terminal, write those of the ``lines`` that are new elsewhere.

        Neither is asked for when the last time was a moment ago, unless ``at_once``.
        """
        with self._turn:
            now = time.monotonic()
            if now - self._shown_at < self._pause_s and not at_once:
                return
            self._shown_at = now
            if self._canvas:
                self.draw(blocks())
                return
            written, self._lines = self._lines, list(lines())
            for line in self._lines:
                if line not in written:
                    write_line(self._stream, line)

    def say(self, line: str) -> None:
        """Write a line that stays, above what is drawn."""
        with self._turn:
            if self._canvas:
                self._canvas.say(line)
            else:
                write_line(self._stream, line)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let somebody else write to the terminal: what is drawn is taken away meanwhile."""
        with self._turn:
            if self._canvas:
                self._canvas.lift()
            try:
                yield
            finally:
                if self._canvas:
                    self._canvas.lay()


class _Remarks(io.TextIOBase):
    """Where a log writes while a board is drawn on the same terminal."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def write(self, text: str) -> int:
        """Each line is a remark."""
        for line in text.splitlines():
            self._board.say(line)
        return len(text)


def _terminal_logs() -> list[logging.StreamHandler[TextIO]]:
    """What would write in the middle of a board."""
    return [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler)
        and handler.stream is sys.stderr
        and sys.stderr.isatty()
    ]
