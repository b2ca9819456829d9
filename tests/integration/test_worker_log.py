"""What a worker's two processes leave in their log."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from winepress import Client, TextToImage
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_worker.logs import say_in_log

#: When, how bad, in which process, who says it: what; or a line that goes on from the one before.
_OURS = re.compile(r"\d{4}-\d\d-\d\d [\d:,]{12} [A-Z]+ [\w-]+ [\w.]+: .+|  .*")


def test_every_line_of_a_workers_log_is_of_one_form(tmp_path: Path) -> None:
    """From its start to its stop, also what Celery and its pool would say in their own."""
    with Farm(FarmOptions(state=tmp_path, engine="fake", flower=False)) as farm:
        (worker,) = farm.workers
        with Client(farm.settings) as client:
            client.submit(TextToImage(prompt="an apple", model="vignette")).wait(timeout=60)
    lines = farm.state.log(worker.name).read_text("utf-8").splitlines()
    assert [line for line in lines if not _OURS.fullmatch(line)] == []
    assert any("SpawnPoolWorker-1" in line for line in lines)
    said = [line.partition(": ")[2] for line in lines]
    assert "worker: Warm shutdown (MainProcess)" in said


def test_what_a_signal_makes_celery_say_is_one_record(capfd: pytest.CaptureFixture[str]) -> None:
    """A stack that is asked for has many lines; each of them is set in, and none is obeyed."""
    say_in_log("MainThread\n  File x\n\x1b[2J")
    first, *rest = capfd.readouterr().err.splitlines()
    assert _OURS.fullmatch(first)
    assert first.endswith("celery.apps.worker: MainThread")
    assert rest == ["    File x", "  \\x1b[2J"]
