"""Plugin of pytest that prints what became of each case: ``pytest -p faults.verdicts -m case``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator
from dataclasses import dataclass, field

import pytest
from faults.cases.table import CASES


@dataclass
class _Seen:
    """What the tests of one case came to."""

    broken: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    kept: int = 0
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        if self.broken:
            return f"BROKEN: {', '.join(self.broken)}"
        if self.kept:
            return "kept" + (f"; skipped: {self.skipped[0]}" if self.skipped else "")
        return f"skipped: {self.skipped[0]}" if self.skipped else "not run"


_seen: pytest.StashKey[dict[int, _Seen]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_seen] = defaultdict(_Seen)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the outcome of each part of a test for every case that it is the proof for."""
    report = yield
    for mark in item.iter_markers("case"):
        seen = item.config.stash[_seen][mark.args[0]]
        seen.seconds += report.duration
        if report.failed:
            seen.broken.append(item.name)
        elif report.skipped:
            seen.skipped.append(str(call.excinfo.value) if call.excinfo else "")
        elif report.when == "call":
            seen.kept += 1
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table."""
    found = config.stash[_seen]
    verdicts = {case.number: found.get(case.number, _Seen()) for case in CASES}
    terminalreporter.section("faults")
    for case in CASES:
        seen = verdicts[case.number]
        line = f"{case.number:3} {case.fault:47} {seen.seconds:6.0f} s  {seen.verdict}"
        terminalreporter.write_line(line)
    kept = sum(seen.verdict.startswith("kept") for seen in verdicts.values())
    terminalreporter.write_line(f"{kept} of {len(CASES)} kept")
