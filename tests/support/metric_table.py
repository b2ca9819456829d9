"""The tables of docs/metrics.md; ``python -m support.metric_table`` in ``tests/`` writes them."""

from __future__ import annotations

import re
from pathlib import Path

from winepress.metrics.families import GROUPS, Family

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
_TABLES = re.compile(r"(?<=^## The list\n\n).*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def tables() -> str:
    """One table for each matter."""
    return "".join(
        f"### {matter}\n\n| metric | kind | labels | what it tells |\n|---|---|---|---|\n"
        f"{''.join(map(_row, families))}\n"
        for matter, families in GROUPS.items()
    )


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    return f"| `{family.full_name}` | {family.kind} | {labels} | {family.help} |\n"


def written_tables() -> str:
    """Those of the page."""
    found = _TABLES.search(PAGE.read_text("utf-8"))
    return found[0] if found else ""


if __name__ == "__main__":
    PAGE.write_text(_TABLES.sub(lambda _: tables(), PAGE.read_text("utf-8")), "utf-8")
