"""Clients of A1111's API that need an environment of their own, on a real farm."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.running_gateway import RunningGateway
from support.servers import scrubbed_environment

from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions

_HERE = Path(__file__).parent
_CLIENTS = _HERE.parents[1] / "build" / "clients"
_PROGRAMS = _CLIENTS / "a1111" / "bin"
_NEWER_PROGRAMS = _CLIENTS / "sd-api-mcp" / "bin"  #: its client needs Python 3.13
_WAIT_S = 120
#: What image-generation-mcp draws is larger than the bundled models do.
_CATALOGUE = """
[wide-vignette]
title = "vignette, beyond the sizes it has learned"
source = "bundled:vignette"
family = "stable-diffusion"
kinds = ["text-to-image"]
precisions = ["fp16"]
width = 256
height = 256
max_side = 1024
num_inference_steps = 20
guidance_scale = 2.5
scheduler = "ddim"
licence = "MIT"
memory_mib = 400
"""

pytestmark = pytest.mark.skipif(
    not _PROGRAMS.is_dir(), reason="`make test-clients` installs these clients and runs this"
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """The gateway of a farm with a model for large pictures, which draws without it."""
    folder = tmp_path_factory.mktemp("farm")
    (folder / "catalogue.toml").write_text(_CATALOGUE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WINEPRESS_CATALOGUE", str(folder / "catalogue.toml"))
        options = FarmOptions(state=folder / "state", flower=False, engine="fake")
        with Farm(options) as farm, RunningGateway(farm.settings) as one:
            yield one


def driven(driver: str, *words: str, programs: Path = _PROGRAMS) -> Any:
    """What a driver prints, run by the Python of its client."""
    command = [str(programs / "python"), str(_HERE / driver), *words]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_WAIT_S, env=scrubbed_environment()
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_webuiapi_draws_asynchronously(gateway: RunningGateway) -> None:
    """Two pictures at a time, each with its own seed."""
    assert driven("drive_webuiapi.py", gateway.url) == [7, 8]


def test_an_assistant_draws_through_image_generation_mcp(gateway: RunningGateway) -> None:
    """Over stdio: the picture that it gets is the one that the farm drew."""
    program = str(_PROGRAMS / "image-generation-mcp")
    status = driven("drive_image_generation_mcp.py", program, gateway.url, "wide-vignette")
    assert status["status"] == "completed", status
    newest = gateway.http.get("/v1/jobs").json()["jobs"][0]
    assert newest["lane"] == "wide-vignette.fp16"


@pytest.mark.skipif(
    not _NEWER_PROGRAMS.is_dir(), reason="`make test-clients` installs it where Python 3.13 is"
)
def test_an_assistant_draws_through_sd_api_mcp(gateway: RunningGateway, tmp_path: Path) -> None:
    """Over stdio: a picture, a part of it drawn anew, and the same larger."""
    words = (str(_NEWER_PROGRAMS / "sd-api-mcp"), gateway.url, str(tmp_path))
    found = driven("drive_sd_api_mcp.py", *words, programs=_NEWER_PROGRAMS)
    for name, side in (("drawn", 128), ("edited", 128), ("larger", 256)):
        with Image.open(found[name]) as picture:
            assert picture.size == (side, side)
    assert found["models"]
    assert "Lanczos" in found["upscalers"]
