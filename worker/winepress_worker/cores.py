"""The processor cores that a worker uses."""

from __future__ import annotations

import os
import re

from winepress_shared.errors import WrongUsage
from winepress_shared.ledger.records import expand

_RANGES = re.compile(r"\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?){0,63}\Z")


def check_cores(text: str) -> str:
    """Check ranges like ``0-3,8``; raises WrongUsage for cores this process may not use."""
    mine = os.sched_getaffinity(0)
    wanted = set(expand(text)) if _RANGES.match(text) else set()
    if not wanted or wanted - mine:
        raise WrongUsage(
            "not processor cores that this process may use",
            field="--cores",
            value=text,
            allowed=f"like 0-3,8; of {', '.join(map(str, sorted(mine)))}",
        )
    return text


def keep_to_cores(text: str) -> None:
    """Restrict this process and its threads to these cores; an empty text changes nothing.

    Call it before OpenVINO is imported, which sizes its thread pool by the allowed cores.
    """
    if text:
        os.sched_setaffinity(0, expand(text))
