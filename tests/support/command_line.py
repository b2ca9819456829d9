"""The command ``winepress`` as tests run it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.servers import scrubbed_environment
from winepress_shared.settings import Settings

WINEPRESS = Path(sys.executable).parent / "winepress"

Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(settings: Settings) -> dict[str, str]:
    return scrubbed_environment() | {
        "WINEPRESS_FARM": settings.farm,
        "WINEPRESS_BROKER_URL": settings.broker_url.get_secret_value(),
        "WINEPRESS_STORE_FOLDER": str(settings.store_folder),
    }


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Every line of stdout, each of which must be one JSON object."""
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(isinstance(one, dict) for one in found)
    return found
