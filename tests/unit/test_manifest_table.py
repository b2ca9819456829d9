"""The table of a job's pictures, as other programs read it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from winepress.bulk.manifest import COLUMNS, write_manifest


@pytest.mark.parametrize("prompt", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_prompt_is_computed_by_a_spreadsheet(prompt: str, tmp_path: Path) -> None:
    """Prompts come from anybody; the lines of JSON keep them as they are."""
    row = dict.fromkeys(COLUMNS) | {"unit": 0, "prompt": prompt, "seed": -1, "message": "a = b"}
    row["warnings"] = ["=1", "b"]
    lines, table = write_manifest([row], tmp_path)
    assert json.loads(lines.read_text("utf-8")) == row
    with table.open(encoding="utf-8-sig", newline="") as file:
        (read,) = csv.DictReader(file)
    assert (read["prompt"], read["seed"], read["message"]) == (f"'{prompt}", "-1", "a = b")
    assert read["warnings"] == "'=1; b"
