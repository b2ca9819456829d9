"""A client that is made of the OpenAPI document, on a real farm."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from support.running_gateway import RunningGateway
from support.servers import scrubbed_environment

from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions

_HERE = Path(__file__).parent
_PYTHON = _HERE.parents[1] / "build" / "clients" / "generator" / "bin" / "python"
_WAIT_S = 120


@pytest.mark.skipif(
    not _PYTHON.exists(), reason="`make test-clients` installs the generator and runs this"
)
def test_a_generated_client_submits_waits_and_is_refused(tmp_path: Path) -> None:
    """By functions with the names and types of the document."""
    options = FarmOptions(state=tmp_path / "farm", flower=False, engine="fake")
    with Farm(options) as farm, RunningGateway(farm.settings) as gateway:
        done = subprocess.run(
            [str(_PYTHON), str(_HERE / "drive_generated.py"), gateway.url, str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=_WAIT_S,
            env=scrubbed_environment(),
            check=False,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == {
        "is_once": True,
        "state": "succeeded",
        "seeds": [7, 8],
        "begins": "PNG",
        "field": "prompt",
    }
