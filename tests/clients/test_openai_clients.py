"""Clients of OpenAI's API that need an environment of their own, on a real farm."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.running_gateway import RunningGateway
from support.servers import scrubbed_environment

from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions

_HERE = Path(__file__).parent
_CLIENTS = _HERE.parents[1] / "build" / "clients"
_PYTHON = _CLIENTS / "openai" / "bin" / "python"
_NODE = _CLIENTS / "node"
_WAIT_S = 120
_HOW = "`make test-clients` installs these clients and runs this"

needs_python = pytest.mark.skipif(not _PYTHON.exists(), reason=_HOW)
needs_node = pytest.mark.skipif(not (_NODE / "node_modules").is_dir(), reason=_HOW)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """The gateway of a farm that draws without a model."""
    options = FarmOptions(state=tmp_path_factory.mktemp("farm"), flower=False, engine="fake")
    with Farm(options) as farm, RunningGateway(farm.settings) as one:
        yield one


def driven(gateway: RunningGateway, driver: str) -> Any:
    """What a driver prints, run beside its client."""
    if driver.endswith(".mjs"):
        shutil.copy(_HERE / driver, _NODE)  # node looks for packages beside the program
        command = ["node", str(_NODE / driver)]
    else:
        command = [str(_PYTHON), str(_HERE / driver)]
    done = subprocess.run(
        [*command, gateway.url],
        capture_output=True,
        text=True,
        timeout=_WAIT_S,
        env=scrubbed_environment() | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def is_picture(url: str) -> bool:
    """Whether a link opens a PNG without any key."""
    return httpx.get(url, trust_env=False).content.startswith(b"\x89PNG")


@needs_python
def test_litellm_draws(gateway: RunningGateway) -> None:
    """Links for one name of OpenAI, the picture itself for another."""
    found = driven(gateway, "drive_litellm.py")
    assert all(map(is_picture, found["urls"]))
    assert (len(found["urls"]), found["begins"]) == (2, "ffd8")


@needs_python
def test_langchains_wrapper_of_dall_e_draws(gateway: RunningGateway) -> None:
    """It reads nothing but links, and asks for none."""
    urls = driven(gateway, "drive_langchain.py")
    assert len(urls) == 2
    assert all(map(is_picture, urls))


@needs_node
def test_openais_client_for_javascript_draws(gateway: RunningGateway) -> None:
    """Pictures, an edit, a stream, a batch, the list of models, and an error."""
    found = driven(gateway, "drive_openai.mjs")
    assert (found["begins"], found["edited"], found["batch"]) == ("PNG", 1, "one")
    assert found["events"][-1] == "image_generation.completed"
    assert set(found["events"][:-1]) <= {"image_generation.partial_image"}
    assert found["code"] == "model_not_found"
    assert {"vignette", "gpt-image-1"} <= set(found["models"])


@needs_node
def test_the_ai_sdk_draws(gateway: RunningGateway) -> None:
    """It always asks for the picture itself."""
    assert driven(gateway, "drive_ai_sdk.mjs") == ["PNG", "PNG"]
