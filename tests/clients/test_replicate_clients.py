"""Replicate's client for JavaScript, on a real farm."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from support.running_gateway import RunningGateway
from support.servers import scrubbed_environment

from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions

_HERE = Path(__file__).parent
_NODE = _HERE.parents[1] / "build" / "clients" / "node"
_WAIT_S = 120


@pytest.mark.skipif(
    not (_NODE / "node_modules" / "replicate").is_dir(),
    reason="`make test-clients` installs this client and runs this",
)
def test_replicates_client_for_javascript_draws(tmp_path: Path) -> None:
    """By model, by version with an uploaded picture, and by asking again and again."""
    shutil.copy(_HERE / "drive_replicate.mjs", _NODE)  # node looks for packages beside the program
    options = FarmOptions(state=tmp_path, flower=False, engine="fake")
    with Farm(options) as farm, RunningGateway(farm.settings) as gateway:
        done = subprocess.run(
            ["node", str(_NODE / "drive_replicate.mjs"), gateway.url],
            capture_output=True,
            text=True,
            timeout=_WAIT_S,
            env=scrubbed_environment(),
        )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == {
        "begins": "PNG",
        "last": "succeeded",
        "pictures": [1, 1, 1],
        "listed": 3,
    }
