"""A device that draws wrongly does not get to serve."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageFilter
from support.servers import scrubbed_environment

from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings
from winepress_worker.options import WorkerOptions
from winepress_worker.parent.device_check import check_device_draws
from winepress_worker.renderer import self_test

_LIMIT_S = 120


def worker(home: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """The real command, with a broker that nobody answers at."""
    environment = scrubbed_environment() | {
        "PYTHONPATH": ":".join(sys.path),
        "WINEPRESS_HOME": str(home),
        "WINEPRESS_BROKER_URL": "redis://127.0.0.1:1/0",
    }
    command = [sys.executable, "-m", "winepress", "worker", *flags]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )


def test_a_good_device_passes_and_its_pass_is_remembered(model_home: Path) -> None:
    """The command says how near the picture came; a worker that starts later knows it."""
    run = worker(model_home, "--self-test", "--device", "NPU=CPU")
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("NPU=CPU: computed on CPU, ")
    options = WorkerOptions("test", "NPU=CPU")
    passed = self_test.memory_of(options, Settings(home=model_home))
    assert passed is not None
    assert passed.read_text("utf-8") in run.stdout


def test_a_device_that_draws_something_else_is_refused_by_name(tmp_path: Path) -> None:
    """The fake engine's pictures are none of the model's: no traceback, exit code 2, a reason."""
    run = worker(tmp_path, "--self-test", "--engine", "fake", "--device", "NPU")
    assert run.returncode == 2
    assert "this device fails the self-test" in run.stderr
    assert "'NPU'" in run.stderr
    assert "dB" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_device_whose_driver_crashes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's own process survives to say so."""
    crash = subprocess.CompletedProcess([], -11, stdout="", stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: crash)
    with pytest.raises(WrongUsage, match="status -11"):
        check_device_draws(WorkerOptions("test", "GPU"))


@pytest.mark.parametrize("fault", ["black", "blurred", "shifted", "inverted"])
def test_pictures_of_faulty_devices_are_told_from_the_golden_one(fault: str) -> None:
    """Far below the limit, where rounding of other arithmetic is far above it."""
    golden = self_test.golden()
    faulty = {
        "black": Image.new("RGB", golden.size),
        "blurred": golden.filter(ImageFilter.GaussianBlur(6)),
        "shifted": golden.transform(golden.size, Image.Transform.AFFINE, (1, 0, 16, 0, 1, 0)),
        "inverted": golden.point(lambda level: 255 - level),
    }[fault]
    assert self_test.likeness_db(faulty, golden) < self_test.LEAST_DB
    assert self_test.likeness_db(golden, golden) > 2 * self_test.LEAST_DB
