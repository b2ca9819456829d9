"""What the libraries that render have to say of themselves is no user's business."""

from __future__ import annotations

import os
import subprocess
import sys


def test_loading_what_renders_says_nothing() -> None:
    """Optional packages that are not installed, names that will change: none of it is shown."""
    code = (
        "from winepress_worker.logs import configure_logs, hush_libraries\n"
        "from winepress_shared.settings import Settings; configure_logs(Settings())\n"
        "hush_libraries(); import winepress_worker.conversion.build"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=240
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
