"""Clients of Replicate for JavaScript, on a real farm."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.running_gateway import RunningGateway
from support.servers import scrubbed_environment

from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions

_HERE = Path(__file__).parent
_NODE = _HERE.parents[1] / "build" / "clients" / "node"
_WAIT_S = 120


pytestmark = pytest.mark.skipif(
    not (_NODE / "node_modules" / "replicate").is_dir(),
    reason="`make test-clients` installs these clients and runs this",
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """The gateway of a farm that draws without a model."""
    options = FarmOptions(state=tmp_path_factory.mktemp("farm"), flower=False, engine="fake")
    with Farm(options) as farm, RunningGateway(farm.settings) as one:
        yield one


def driven(gateway: RunningGateway, driver: str) -> Any:
    """What a driver prints, run beside its client."""
    shutil.copy(_HERE / driver, _NODE)  # node looks for packages beside the program
    done = subprocess.run(
        ["node", str(_NODE / driver), gateway.url],
        capture_output=True,
        text=True,
        timeout=_WAIT_S,
        env=scrubbed_environment(),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_replicates_client_for_javascript_draws(gateway: RunningGateway) -> None:
    """By model, by version with an uploaded picture, and by asking again and again."""
    assert driven(gateway, "drive_replicate.mjs") == {
        "begins": "PNG",
        "last": "succeeded",
        "pictures": [1, 1, 1],
        "listed": 3,
    }


def test_the_provider_of_the_ai_sdk_draws(gateway: RunningGateway) -> None:
    """It waits for one answer, reads the pictures from their links, and starts from one of them."""
    assert driven(gateway, "drive_ai_sdk_replicate.mjs") == [
        "image/jpeg",
        "image/jpeg",
        "image/png",
    ]
