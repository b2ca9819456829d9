"""The corpus of the fuzzer, and a few new inputs at every door."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
INPUTS = 1000  #: of all doors together; `make fuzz` takes a million


def test_nothing_but_answers_and_refusals_comes_out_of_any_door() -> None:
    """Every input that once found a fault goes in again, and every valid one is taken."""
    ended = subprocess.run(
        [sys.executable, "-m", "fuzz", "--inputs", str(INPUTS)],
        env={"PYTHONPATH": str(TESTS), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
