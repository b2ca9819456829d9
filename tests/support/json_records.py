"""The records of a log of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def records(path: Path) -> list[dict[str, Any]]:
    """Every line of a log, each of which must be a record."""
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert all({"time", "level", "logger", "message"} <= one.keys() for one in found)
    return found
