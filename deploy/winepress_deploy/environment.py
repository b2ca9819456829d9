"""What the children of a farm are told through their environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_KEPT = ("PATH", "LANG", "LC_ALL", "TZ")
#: Celery's command line takes these for its own; they are of other applications.
_OF_CELERY = frozenset(
    {"APP", "BROKER_URL", "CONFIG_MODULE", "LOADER", "RESULT_BACKEND", "SKIP_CHECKS"}
)
#: Would change how a child of ours starts or ends.
_OF_PYTHON = frozenset({"PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONWARNINGS"})


def bare_environment(home: Path) -> dict[str, str]:
    """For servers: nothing of the user's own credentials or configuration reaches them."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"HOME": str(home)}


def farm_environment(config: Path) -> dict[str, str]:
    """For our own processes: the user's environment, but the farm's settings and no others."""
    own = {
        name: value
        for name, value in without_others(os.environ).items()
        if not name.startswith(("WINEPRESS_", "FLOWER_"))
    }
    return own | {"WINEPRESS_CONFIG": str(config)}


def without_others(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` less what is meant for other Celery applications, or for one Python process."""
    left_out = _OF_CELERY | _OF_PYTHON
    return {
        name: value
        for name, value in environ.items()
        if name not in left_out and not name.startswith("CELERY_")
    }
