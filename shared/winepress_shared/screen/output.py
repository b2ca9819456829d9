"""Writing a table to a stream: drawn on a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import TextIO

from winepress_shared.screen.surface import can_draw
from winepress_shared.screen.table import Table
from winepress_shared.terminal import write_line


def write_table(stream: TextIO, table: Table) -> None:
    """Draw ``table`` on a terminal, or write its `Table.plain` lines; raises OSError."""
    if can_draw(stream):
        from winepress_shared.screen.drawing import draw  # imports rich

        draw(stream, [table])
    else:
        for line in table.plain():
            write_line(stream, line)
