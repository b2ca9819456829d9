"""What the command line writes, whatever it is written to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

PROMPT = "ein Käfer \U0001f98a"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """One that tells its prompt."""
    told = PngInfo()
    told.add_itxt("parameters", f"{PROMPT}\nSteps: 20, Seed: 3")
    path = tmp_path / "beetle.png"
    Image.new("RGB", (8, 8)).save(path, pnginfo=told)
    return path


def info(picture: Path, redirection: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    command = f'"{sys.executable}" -m winepress info "$@" {redirection}'
    return subprocess.run(
        ["/bin/sh", "-c", command, "sh", str(picture)],
        env=os.environ | environ,
        capture_output=True,
        encoding="utf-8",
        timeout=30,
    )


def test_a_prompt_is_shown_even_where_the_terminal_lacks_its_letters(picture: Path) -> None:
    """What the encoding lacks is escaped; the rest stays readable."""
    done = info(picture, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(r"ein K\xe4fer \U0001f98a")


def test_a_result_that_cannot_be_written_is_an_error_in_one_line(picture: Path) -> None:
    """A full disk gives no traceback, nor a complaint of Python when it ends."""
    done = info(picture, "> /dev/full")
    assert done.returncode == 2
    assert done.stderr == ("winepress: error: cannot write the result: No space left on device\n")


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
def test_outputs_may_be_closed(picture: Path, redirection: str) -> None:
    """As services are started by some; what would be written is lost, and nothing else."""
    done = info(picture, redirection)
    assert (done.returncode, done.stderr) == (0, "")
    assert info(picture.with_name("none.png"), redirection).returncode == 2
