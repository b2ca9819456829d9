"""The table of ``winepress models list``: a line per model, a column per precision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from winepress_shared.lane import Precision

_MIB = 2**20
LEGEND = (
    "of each precision: its size if it is prepared here, `on demand` if its first job "
    "prepares it, and `store` if workers can pull it; otherwise -"
)


def table(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The lines of the table, made from the rows of ``--json``; a model's rows are adjacent."""
    lines = [("MODEL", *(one.value.upper() for one in Precision), "MEMORY", "WARM ON", "LICENCE")]
    for name, group in groupby(rows, lambda row: str(row["model"])):
        own = {row["precision"]: row for row in group}
        cells = [_state(own[one.value]) if one.value in own else "" for one in Precision]
        memory = f"{max(row['memory_mib'] for row in own.values())} MiB"
        licence = next(iter(own.values()))["licence"]
        lines.append((name, *cells, memory, _warm(own), licence))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(map(str.ljust, line, widths)).rstrip()


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
