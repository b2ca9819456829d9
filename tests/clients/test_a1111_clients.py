"""Clients of A1111's API that need an environment of their own, on a real farm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from support.foreign_clients import driven, needs, python_of
from support.running_gateway import RunningGateway

from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions

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


@needs("a1111")
def test_webuiapi_draws_asynchronously(gateway: RunningGateway) -> None:
    """Two pictures at a time, each with its own seed."""
    assert driven("a1111", "drive_webuiapi.py", gateway.url) == [7, 8]


@needs("a1111")
def test_an_assistant_draws_through_image_generation_mcp(gateway: RunningGateway) -> None:
    """Over stdio: the picture that it gets is the one that the farm drew."""
    program = str(python_of("a1111").with_name("image-generation-mcp"))
    words = (program, gateway.url, "wide-vignette")
    status = driven("a1111", "drive_image_generation_mcp.py", *words)
    assert status["status"] == "completed", status
    newest = gateway.http.get("/v1/jobs").json()["jobs"][0]
    assert newest["lane"] == "wide-vignette.fp16"


@needs("sd-api-mcp")  # where Python 3.13 is
def test_an_assistant_draws_through_sd_api_mcp(gateway: RunningGateway, tmp_path: Path) -> None:
    """Over stdio: a picture, a part of it drawn anew, and the same larger."""
    program = str(python_of("sd-api-mcp").with_name("sd-api-mcp"))
    found = driven("sd-api-mcp", "drive_sd_api_mcp.py", program, gateway.url, str(tmp_path))
    for name, side in (("drawn", 128), ("edited", 128), ("larger", 256)):
        with Image.open(found[name]) as picture:
            assert picture.size == (side, side)
    assert found["models"]
    assert "Lanczos" in found["upscalers"]
