"""The table of faults, and the page that tells of them."""

from __future__ import annotations

from pathlib import Path

from faults.cases.table import CASES

ROOT = Path(__file__).parents[2]


def test_every_case_has_one_number() -> None:
    """1 to 48, in order."""
    assert [case.number for case in CASES] == list(range(1, 49))
