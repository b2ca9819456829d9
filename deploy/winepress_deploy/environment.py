"""The environment variables of a farm's child processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_KEPT = ("PATH", "LANG", "LC_ALL", "TZ")
#: Celery's command line reads these, but the user set them for other applications.
_OF_CELERY = frozenset(
    {"APP", "BROKER_URL", "CONFIG_MODULE", "LOADER", "RESULT_BACKEND", "SKIP_CHECKS"}
)
#: Variables that would change how a child process starts or ends.
_OF_PYTHON = frozenset({"PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONWARNINGS"})


def bare_environment(home: Path) -> dict[str, str]:
    """The environment for servers, without the user's credentials or configuration."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"HOME": str(home)}


def farm_environment(config: Path) -> dict[str, str]:
    """The environment for our own processes: the user's, with the farm's settings only."""
    own = {
        name: value
        for name, value in without_others(os.environ).items()
        if not name.startswith(("WINEPRESS_", "FLOWER_"))
    }
    return own | {"WINEPRESS_CONFIG": str(config)}


def without_others(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` without variables for other Celery applications or for this Python process."""
    left_out = _OF_CELERY | _OF_PYTHON
    return {
        name: value
        for name, value in environ.items()
        if name not in left_out and not name.startswith("CELERY_")
    }
