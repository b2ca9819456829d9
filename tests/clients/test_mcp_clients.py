"""Clients of MCP that need an environment of their own, on a real farm."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.command_line import WINEPRESS
from support.foreign_clients import HOW, NODE, driven, needs
from support.running_gateway import RunningGateway
from support.servers import scrubbed_environment

from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions

_INSPECTOR = NODE / "node_modules" / ".bin" / "mcp-inspector"
_WAIT_S = 120
_PICTURE = ("--tool-name", "generate_image", "--tool-arg", "prompt=a red apple", "seed=7")

needs_inspector = pytest.mark.skipif(not _INSPECTOR.exists(), reason=HOW)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the farm."""
    return tmp_path_factory.mktemp("farm")


@pytest.fixture(scope="module")
def gateway(state: Path) -> Iterator[RunningGateway]:
    """The gateway of a farm that draws without a model."""
    options = FarmOptions(state=state, flower=False, engine="fake")
    with Farm(options) as farm, RunningGateway(farm.settings) as one:
        yield one


def inspected(*words: str) -> dict[str, Any]:
    """What the inspector prints."""
    done = subprocess.run(
        [str(_INSPECTOR), "--cli", *words],
        capture_output=True,
        text=True,
        timeout=_WAIT_S,
        env=scrubbed_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@needs_inspector
def test_the_inspector_draws_over_http(gateway: RunningGateway) -> None:
    """It checks the answer against the schema that the tool announced."""
    server = (f"{gateway.url}/mcp", "--transport", "http")
    names = [tool["name"] for tool in inspected(*server, "--method", "tools/list")["tools"]]
    assert "generate_image" in names
    drawn = inspected(*server, "--method", "tools/call", *_PICTURE)["structuredContent"]
    assert (drawn["state"], drawn["outputs"][0]["seed"]) == ("succeeded", 7)
    assert httpx.get(drawn["outputs"][0]["link"], trust_env=False).content.startswith(b"\x89PNG")


@needs_inspector
@pytest.mark.usefixtures("gateway")
def test_the_inspector_draws_over_stdio(state: Path) -> None:
    """By the settings file that its configuration names; the link opens at the store."""
    server = ("-e", f"WINEPRESS_CONFIG={state / 'winepress.toml'}", str(WINEPRESS), "mcp")
    drawn = inspected(*server, "--method", "tools/call", *_PICTURE)["structuredContent"]
    assert drawn["state"] == "succeeded"
    assert httpx.get(drawn["outputs"][0]["link"], trust_env=False).content.startswith(b"\x89PNG")


@needs("a1111")  # image-generation-mcp brings the SDK
def test_the_first_generation_of_the_sdk_draws(gateway: RunningGateway, state: Path) -> None:
    """Open WebUI and most assistants have it; the progress that it hears only grows."""
    words = (f"{gateway.url}/mcp", str(WINEPRESS), str(state / "winepress.toml"))
    for answer in driven("a1111", "drive_mcp.py", *words):
        assert answer["state"] == "succeeded"
        assert answer["told"] == sorted(set(answer["told"]))
        assert answer["told"]
