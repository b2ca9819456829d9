"""One line of a bulk file, and where in it something is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from winepress_shared.errors import InvalidJob, WinepressError
from winepress_shared.jobs.aliases import ALIASES

#: Fields that one name in the file may stand for, beside `ALIASES`.
_PARTS = {
    "size": ("width", "height"),
    "batch_size": ("n",),
    "n_iter": ("n",),
    "init_images": ("image",),
}


@dataclass(frozen=True)
class Line:
    """What one line of a file asks for, under the names the file uses."""

    number: int  #: counted from 1; of a record of several lines the first
    values: dict[str, Any]
    name: str = ""  #: what the file calls this item; may be empty
    columns: Mapping[str, int] = field(default_factory=dict)  #: name → column, counted from 1
    warnings: tuple[str, ...] = ()  #: what it asks for and will not get

    def fault(self, error: WinepressError) -> InvalidJob:
        """``error`` with the line and the column it is about."""
        written = next((name for name in self.columns if _means(name, error.field)), None)
        column = None if written is None else self.columns[written]
        return fault_at(self.number, column, error, written or error.field)


def fault_at(
    number: int, column: int | None, error: WinepressError, name: str | None = None
) -> InvalidJob:
    """``error`` at a place of the file."""
    place = f"line {number}" + (f", column {column}" if column else "")
    return InvalidJob(
        f"{place}{f' ({name})' if name else ''}: {error.problem}",
        value=error.value,
        allowed=error.allowed,
        hint=error.hint,
    )


def _means(name: str, canonical: str | None) -> bool:
    if canonical is None:
        return False
    return canonical in (name, ALIASES.get(name), *_PARTS.get(name, ()))
