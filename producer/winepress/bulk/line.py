"""One line of a batch file, and the place of a fault in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from winepress.job_files.given_names import given_names
from winepress_shared.errors import InvalidJob, WinepressError, short


@dataclass(frozen=True)
class Line:
    """The fields of one line, under the names that the file uses."""

    number: int  #: from 1; the first line of a record of several lines
    values: dict[str, Any]
    name: str = ""  #: of the item, as the file gives it; may be empty
    columns: Mapping[str, int] = field(default_factory=dict)  #: name → column, from 1
    warnings: tuple[str, ...] = ()  #: fields that are ignored, one sentence each

    def fault(self, error: WinepressError) -> LineFault:
        """``error`` with its line and column."""
        written = given_names(error.field, self.columns) if error.field else []
        column = self.columns[written[0]] if written else None
        return LineFault(self.number, column, error, ", ".join(written) or error.field)


class LineFault(InvalidJob):
    """What is wrong with one line, and where."""

    def __init__(
        self, line: int, column: int | None, error: WinepressError, name: str | None = None
    ) -> None:
        """``name`` is that of the field, as the file calls it."""
        self.line = line
        self.column = column
        self.name = name
        place = f"line {line}" + (f", column {column}" if column else "")
        super().__init__(
            f"{place}{f' ({short(name)})' if name else ''}: {error.problem}",
            value=error.value,
            allowed=error.allowed,
            hint=error.hint,
        )


OnFault = Callable[[LineFault], None]  #: returns to go on with the next line


def raise_fault(fault: LineFault) -> None:
    """The `OnFault` that ends the reading at the first fault."""
    raise fault
