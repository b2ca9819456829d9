"""A job that comes through a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from winepress.job_files.job_file import read_job_file


def test_paths_in_a_job_from_a_pipe_are_seen_from_here() -> None:
    """There is no folder that they could be in otherwise: nobody keeps pictures below /dev."""
    reading, writing = os.pipe()
    os.write(writing, b"kind: image-to-image\nprompt: a cat\nimage: apple.png\n")
    os.close(writing)
    try:
        fields, _ = read_job_file(Path(f"/dev/fd/{reading}"))
    finally:
        os.close(reading)
    assert fields["image"] == "apple.png"


def test_standard_input_is_a_minus(tmp_path: Path) -> None:
    """As for the prompt, and as in other programs."""
    done = subprocess.run(
        [sys.executable, "-m", "winepress", "submit", "--file", "-"],
        input='{"kind": "image-to-image", "prompt": "a", "image": "nowhere.png"}',
        capture_output=True,
        cwd=tmp_path,
        text=True,
        check=False,
    )
    assert (done.returncode, "'nowhere.png'" in done.stderr) == (4, True), done.stderr
