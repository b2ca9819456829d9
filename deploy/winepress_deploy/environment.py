"""What the children of a farm are told through their environment."""

from __future__ import annotations

import os
from pathlib import Path

_KEPT = ("PATH", "LANG", "LC_ALL", "TZ")


def bare_environment(home: Path) -> dict[str, str]:
    """For servers: nothing of the user's own credentials or configuration reaches them."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"HOME": str(home)}


def farm_environment(config: Path) -> dict[str, str]:
    """For our own processes: the user's environment, but the farm's settings and no others."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("WINEPRESS_")}
    return own | {"WINEPRESS_CONFIG": str(config)}
