"""The table of ``winepress models list``: a line per model, a column per precision."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from winepress_shared.lane import Precision
from winepress_shared.screen.table import Cell, Column, Table, Tone

_MIB = 2**20
LEGEND = (
    "of each precision: its size if it is prepared here, `on demand` if its first job "
    "prepares it, and `store` if workers can pull it; otherwise -"
)


def table(rows: Iterable[dict[str, Any]]) -> Table:
    """A table of the rows that ``--json`` prints; those of one model follow each other."""
    found = Table(
        (
            Column("MODEL"),
            *(Column(one.value.upper()) for one in Precision),
            Column("MEMORY", 1, is_number=True),
            Column("WARM ON", 2, is_flexible=True),
            Column("LICENCE", 3, is_flexible=True),
        )
    )
    for name, group in groupby(rows, lambda row: str(row["model"])):
        own = {row["precision"]: row for row in group}
        first = next(iter(own.values()))
        memory = _memory(own.values())
        cells = [_cell(own.get(one.value)) for one in Precision]
        found.add(name, *cells, memory, _warm(own), first["licence"])
    return found


def _memory(rows: Iterable[dict[str, Any]]) -> str:
    """What a worker needs for the least and for the most of the precisions."""
    needs = sorted({row["memory_mib"] for row in rows})
    return f"{needs[0]} MiB" if len(needs) == 1 else f"{needs[0]}-{needs[-1]} MiB"


def _cell(row: dict[str, Any] | None) -> Cell:
    """What there is of one precision, green where a worker holds it."""
    if row is None:
        return Cell(" ")
    tone = Tone.GOOD if row["warm_on"] else Tone.PLAIN if row["size_bytes"] else Tone.QUIET
    return Cell(_state(row), tone)


def _state(row: dict[str, Any]) -> str:
    states = []
    if row["size_bytes"]:
        states.append(f"{row['size_bytes'] / _MIB:.1f} MiB")
    elif row["state"] == "on demand":
        states.append("on demand")
    if row["published"]:
        states.append("store")
    return ", ".join(states) or "-"


def _warm(own: dict[str, dict[str, Any]]) -> str:
    """Every worker that holds the model, with its precisions; ? if the broker did not answer."""
    if any(row["warm_on"] is None for row in own.values()):
        return "?"
    held: dict[str, list[str]] = {}
    for precision, row in own.items():
        for worker in row["warm_on"]:
            held.setdefault(worker, []).append(precision)
    return ", ".join(f"{worker} ({'+'.join(held[worker])})" for worker in sorted(held)) or "-"
