"""A table: drawn to the width of a terminal, and lines of plain text everywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from winepress_shared.screen.surface import width_of
from winepress_shared.terminal import shown

GAP = 2  #: spaces between two columns
_NOTE = "NOTE"  #: head of what stands below its row on a terminal
_NOTHING = "-"  #: in place of an empty cell, so that words can be counted
_LEAST = 16  #: columns that a flexible column keeps at least
BAR_LEAST, BAR_MOST = 14, 30  #: columns of a bar, without the text behind it


class Tone(StrEnum):
    """What a cell means to the reader; the value is its style on a terminal."""

    PLAIN = ""
    QUIET = "dim"
    GOOD = "green"
    BUSY = "cyan"
    WARN = "yellow"
    BAD = "red"


@dataclass(frozen=True)
class Column:
    """A head, and what happens to its cells where a terminal is narrow."""

    head: str
    rank: int = 0  #: 0 always stays; the others take their turn while there is room, 1 first
    is_flexible: bool = False  #: its cells wrap, between words
    is_number: bool = False  #: its cells end under each other
    least: int = 0  #: width on a terminal; a board holds still where its cells change


@dataclass(frozen=True)
class Cell:
    """One text; with a ``share`` (0 to 1) a bar stands in front of it on a terminal."""

    text: str
    tone: Tone = Tone.PLAIN
    share: float | None = None


@dataclass(frozen=True)
class Row:
    """Its cells, and sentences about it."""

    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = ()


@dataclass
class Table:
    """Rows under the same columns; every text may come from outside."""

    columns: Sequence[Column]
    has_heads: bool = True
    rows: list[Row] = field(default_factory=list)

    def add(self, *cells: Cell | str, notes: Iterable[str] = ()) -> None:
        """Add a row; ``notes`` stand below it on a terminal, and at its end elsewhere."""
        given = [Cell(cell) if isinstance(cell, str) else cell for cell in cells]
        told = tuple(shown(note) for note in notes if note)
        self.rows.append(
            Row(tuple(replace(cell, text=shown(cell.text) or _NOTHING) for cell in given), told)
        )

    def plain(self) -> Iterator[str]:
        """One line for the heads and one for each row, whole, whatever their length.

        Two spaces or more stand between two cells.
        """
        lines = [[cell.text for cell in row.cells] + [_sentences(row.notes)] for row in self.rows]
        if self.has_heads:
            has_notes = any(row.notes for row in self.rows)
            lines.insert(0, [column.head for column in self.columns] + [_NOTE * has_notes])
        widths = [max(map(width_of, column)) for column in zip(*lines, strict=True)]
        rights = [column.is_number for column in self.columns] + [False]
        for line in lines:
            cells = map(_padded, line, widths, rights)
            yield (" " * GAP).join(cells).rstrip()

    def fitted(self, width: int) -> dict[int, int]:
        """Place of each column that a terminal of ``width`` has room for, and the column's width.

        Where even those that always stay are too wide, the result is too.
        """
        widths: dict[int, int] = {}
        for place in sorted(range(len(self.columns)), key=lambda one: self.columns[one].rank):
            more = {place: self._least(place)}
            if not self.columns[place].rank or _total(widths | more) <= width:
                widths |= more
        widths = dict(sorted(widths.items()))
        for place in sorted(widths, key=self._has_bar):  # words before bars
            bar = (BAR_MOST + 1) * self._has_bar(place)
            least = self._head_width(place) if bar else widths[place]
            wish = max(least, self.text_width(place) + bar)
            room = width - _total(widths) + widths[place]
            widths[place] = max(least, min(wish, room))
        return widths

    def text_width(self, place: int) -> int:
        """Columns of the longest text of a column, its head left out."""
        return max((width_of(row.cells[place].text) for row in self.rows), default=0)

    def _least(self, place: int) -> int:
        column, text = self.columns[place], self.text_width(place)
        if column.is_flexible:
            words = (word for row in self.rows for word in row.cells[place].text.split())
            text = min(text, max(_LEAST, max(map(width_of, words), default=0)))
        if self._has_bar(place):
            text += BAR_LEAST + 1
        return max(text, self._head_width(place))

    def _head_width(self, place: int) -> int:
        column = self.columns[place]
        return max(column.least, width_of(column.head) if self.has_heads else 0)

    def _has_bar(self, place: int) -> bool:
        return any(row.cells[place].share is not None for row in self.rows)


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _padded(text: str, width: int, is_right: bool) -> str:
    space = " " * (width - width_of(text))
    return space + text if is_right else text + space


#: What a board is made of, one below the other.
Block = Table | Cell


def _sentences(notes: Iterable[str]) -> str:
    """Notes as one cell, without the two spaces that part cells."""
    ends = [note if note.endswith((".", ":", ";")) else f"{note};" for note in notes]
    return " ".join(ends).removesuffix(";")
