"""Runs foreign clients in their environments, which `make test-clients` installs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.servers import scrubbed_environment

_ROOT = Path(__file__).parents[2]
_DRIVERS = _ROOT / "tests" / "clients"
CLIENTS = _ROOT / "build" / "clients"
NODE = CLIENTS / "node"
_WAIT_S = 120
_SETTINGS = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}  #: without it LiteLLM asks a foreign host
HOW = "`make test-clients` installs this client and runs this"

needs_node = pytest.mark.skipif(not (NODE / "node_modules").is_dir(), reason=HOW)


def needs(environment: str) -> pytest.MarkDecorator:
    """Skips a test where an environment of Python is not installed."""
    return pytest.mark.skipif(not python_of(environment).exists(), reason=HOW)


def python_of(environment: str) -> Path:
    """The Python of an environment."""
    return CLIENTS / environment / "bin" / "python"


def driven(environment: str, driver: str, *words: str) -> Any:
    """What a driver prints, read as JSON; ``environment`` is ``node`` for JavaScript."""
    if driver.endswith(".mjs"):
        shutil.copy(_DRIVERS / driver, NODE)  # node looks for packages beside the program
        command = ["node", str(NODE / driver)]
    else:
        command = [str(python_of(environment)), str(_DRIVERS / driver)]
    done = subprocess.run(
        [*command, *words],
        capture_output=True,
        text=True,
        timeout=_WAIT_S,
        env=scrubbed_environment() | _SETTINGS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])
