"""The processor cores a worker computes on."""

from __future__ import annotations

import os
import re

from winepress_shared.errors import WrongUsage
from winepress_shared.ledger.records import expand

_RANGES = re.compile(r"\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?){0,63}\Z")


def check_cores(text: str) -> str:
    """Ranges like ``0-3,8``; raises WrongUsage for cores this process may not use."""
    mine = os.sched_getaffinity(0)
    wanted = set(expand(text)) if _RANGES.match(text) else set()
    if not wanted or wanted - mine:
        raise WrongUsage(
            "not cores of this machine that may be used",
            field="--cores",
            value=text,
            allowed=f"like 0-3,8; of {', '.join(map(str, sorted(mine)))}",
        )
    return text


def keep_to_cores(text: str) -> None:
    """Let this process and its threads run on these cores alone; empty leaves it as it is.

    OpenVINO sizes its pool of threads by what it may use when it is imported.
    """
    if text:
        os.sched_setaffinity(0, expand(text))
