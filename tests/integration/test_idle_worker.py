"""A worker for whom nothing waits goes on asking, and shows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.command_line import environment
from support.worker_process import await_condition

from winepress_shared.settings import Settings

#: A worker of so little patience with itself that its first seconds are the proof.
_IMPATIENT = """
import sys
from winepress.cli import main
from winepress_worker.parent import consumption, supervisor
consumption.FIRST_ASK_S = 5.0
supervisor.ASK_LIMIT_S = 10.0
sys.exit(main(["worker", "--engine", "fake", "--name", "idle", "--alive-file", "alive"]))
"""


def test_an_idle_worker_is_known_to_take_what_will_come(
    farm_settings: Settings, tmp_path: Path
) -> None:
    """Long after it should have asked, it lives and its file is touched: the consumer asks."""
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _IMPATIENT],
            cwd=tmp_path,
            env=environment(farm_settings) | {"WINEPRESS_HOME": str(tmp_path)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    file = tmp_path / "alive"
    try:
        await_condition(file.exists)
        first = file.stat().st_mtime
        await_condition(lambda: file.stat().st_mtime > first + 16)
    finally:
        process.terminate()
        process.wait(60)
    assert "asked for no ticket" not in (tmp_path / "log").read_text("utf-8")
