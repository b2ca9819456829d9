"""The images, and what compose.yaml and the chart make of them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from support.compose_servers import compose
from support.deployed_files import CHART, DEPLOY

from winepress.cli import parse

_LINES = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
_TARGETS = {"producer", "gateway", "flower", "worker-cpu", "worker-gpu", "worker-npu"}
_OURS = {name: each for name, each in compose()["services"].items() if "build" in each}


def _stages() -> dict[str, list[str]]:
    """The instructions of each stage, by its name."""
    stages: dict[str, list[str]] = {}
    for line in _LINES:
        if line.startswith("FROM "):
            lines = stages[line.split()[-1]] = []
        elif line and line[0].isupper() and stages:
            lines.append(line)
    return stages


def test_there_is_an_image_for_each_part_and_none_runs_as_root() -> None:
    """Nor does a stage that became root to install something stay so."""
    stages = _stages()
    assert stages.keys() >= _TARGETS
    for target in _TARGETS:
        users = [line for line in stages[target] if line.startswith("USER ")]
        assert users[-1] == "USER 10001"


def test_each_is_started_with_a_command_that_there_is() -> None:
    """What a container does without further words."""
    for target in _TARGETS:
        (command,) = (line for line in _stages()[target] if line.startswith("CMD "))
        words = yaml.safe_load(command.removeprefix("CMD "))
        if words != ["--help"]:
            parse(words)


def test_whatever_is_loaded_from_elsewhere_is_checked() -> None:
    """By its SHA-256, which was written down when its version was."""
    loaded = [line for line in _LINES if "https://" in line and not line.startswith("#")]
    assert len(loaded) == 8
    for line in loaded:
        assert re.match(r"ADD --checksum=sha256:[0-9a-f]{64} +https://github\.com/\S+ ", line)


@pytest.mark.parametrize("service", _OURS.values(), ids=_OURS)
def test_a_container_of_ours_has_no_rights_and_runs_a_command_that_there_is(
    service: dict[str, Any],
) -> None:
    """Its file system is read-only, and its worker's health is the file that it touches."""
    assert service["build"]["target"] in _TARGETS
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    arguments = parse(service["command"])
    if service["command"][0] == "worker":
        assert arguments.alive_file in service["healthcheck"]["test"][1]
        assert any(arguments.alive_file.startswith(f"{place}/") for place in service["tmpfs"])


def test_the_chart_uses_images_that_are_built() -> None:
    """By the names of their targets."""
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    assert {each["image"] for each in values["workers"].values()} <= _TARGETS
    templates = "".join(path.read_text("utf-8") for path in (CHART / "templates").glob("*.yaml"))
    named = set(re.findall(r'"target" "([a-z-]+)"', templates))
    assert named == {"gateway", "flower"}
