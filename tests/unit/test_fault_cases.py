"""The table of faults, and the page that tells of them."""

from __future__ import annotations

import re
from pathlib import Path

from faults.cases.table import CASES

ROOT = Path(__file__).parents[2]
UNTESTED = {48}  #: `make soak`


def test_every_case_has_one_number() -> None:
    """From 1 on, in order."""
    assert [case.number for case in CASES] == list(range(1, len(CASES) + 1))


def test_the_page_lists_every_case() -> None:
    """With the words of the table, in its order."""
    page = (ROOT / "RELIABILITY.md").read_text("utf-8").splitlines()
    rows = [f"| {case.number} | {case.fault} | {case.promise} | {case.nearest} |" for case in CASES]
    assert [line for line in page if line in rows] == rows


def test_every_case_has_a_test_that_carries_its_number() -> None:
    """But for those that the page names as tested otherwise."""
    marks = re.compile(r"mark\.case\((\d+)\)")
    texts = (path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    tested = {int(number) for text in texts for number in marks.findall(text)}
    assert {case.number for case in CASES} - tested == UNTESTED
