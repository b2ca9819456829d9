"""Draws tables and boards with rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

from winepress_shared.screen.surface import size_of
from winepress_shared.screen.table import GAP, Block, Cell, Row, Table
from winepress_shared.terminal import shown

_HEAD = "bold"
_LEAST_BAR = 4  #: columns; a shorter one says nothing
_INDENT = 4  #: of notes, below their row
_ECHO = 2  #: columns for the ^C of a terminal: a line that it breaks is not found again


class _Surface(Console):
    """A terminal on which text is never markup, and the cursor is left as it is.

    Hidden, it would stay so after a signal that ends the process.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(
            file=stream,
            force_terminal=True,
            force_interactive=True,
            force_jupyter=False,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
        )
        self._stream = stream
        self.take_size()

    def take_size(self) -> None:
        """Take the size that the terminal has now."""
        self.size = size_of(self._stream)

    def show_cursor(self, show: bool = True) -> bool:
        """Leave it."""
        return False


class Canvas:
    """Parts of a board that are drawn over again and again."""

    def __init__(self, stream: TextIO, *, whole_screen: bool) -> None:
        self._surface = _Surface(stream)
        self._whole_screen = whole_screen
        self._live = self._begin()

    def _begin(self) -> Live:
        live = Live(
            console=self._surface,
            screen=self._whole_screen,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        live.start()
        return live

    def draw(self, blocks: Sequence[Block]) -> None:
        """Put ``blocks`` in place of what is drawn."""
        self._surface.take_size()
        room = 0 if self._whole_screen else _ECHO
        self._live.update(_drawn(blocks, self._surface.width - room), refresh=True)

    def say(self, line: str) -> None:
        """Write a line that stays, above what is drawn."""
        self._surface.print(Text(shown(line)))

    def lift(self) -> None:
        """Take away what is drawn, until `lay`."""
        self._live.transient = True
        self._live.stop()

    def lay(self) -> None:
        """Draw again below what was written meanwhile."""
        self._live = self._begin()

    def close(self) -> None:
        """Leave what is drawn, or the whole screen as it was."""
        self._live.stop()


def draw(stream: TextIO, blocks: Sequence[Block]) -> None:
    """Draw once."""
    surface = _Surface(stream)
    surface.print(_drawn(blocks, surface.width))


def _drawn(blocks: Sequence[Block], width: int) -> RenderableType:
    drawn: list[RenderableType] = []
    for block in blocks:
        if isinstance(block, Table):
            drawn += _lines(block, width)
        else:
            drawn.append(Text(shown(block.text), block.tone.value))
    return Group(*drawn)


def _lines(table: Table, width: int) -> Iterator[RenderableType]:
    """Rows, in a grid of their own up to the next one with notes, and the notes."""
    widths = table.fitted(width)
    grid, is_empty = _grid(table, widths), not table.has_heads
    if table.has_heads:
        heads = [table.columns[place] for place in widths]
        grid.add_row(*(Text(one.head, _HEAD, justify=_side(one.is_number)) for one in heads))
    for row in table.rows:
        grid.add_row(*_cells(table, row, widths))
        is_empty = False
        if row.notes:
            yield grid
            yield from (Padding(Text(note, "dim"), (0, 0, 0, _INDENT)) for note in row.notes)
            grid, is_empty = _grid(table, widths), True
    if not is_empty:
        yield grid


def _grid(table: Table, widths: dict[int, int]) -> Grid:
    grid = Grid.grid(padding=(0, GAP, 0, 0))
    for place, width in widths.items():
        side = _side(table.columns[place].is_number)
        grid.add_column(width=width, overflow="fold", justify=side)
    return grid


def _cells(table: Table, row: Row, widths: dict[int, int]) -> Iterator[RenderableType]:
    for place, width in widths.items():
        cell = row.cells[place]
        if cell.share is None:
            yield Text(cell.text, cell.tone.value)
        else:
            yield _bar(cell, cell.share, width, table.text_width(place))


def _bar(cell: Cell, share: float, width: int, text_width: int) -> RenderableType:
    if width < text_width + _LEAST_BAR + 1:
        return Text(cell.text)
    grid = Grid.grid(padding=(0, 1, 0, 0))
    grid.add_row(
        ProgressBar(
            total=1.0,
            completed=min(1.0, max(0.0, share)),
            width=width - text_width - 1,
            complete_style=cell.tone.value or "cyan",
            finished_style="green",
            style="bright_black",
        ),
        Text(cell.text),
    )
    return grid


def _side(is_right: bool) -> Literal["left", "right"]:
    return "right" if is_right else "left"
