"""Checks that no live worker has this name: two would end each other's leases at every beat."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from winepress_shared.errors import WrongUsage
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.ledger.records import SILENT_S, Worker

log = logging.getLogger(__name__)

_LOOK_S = 0.5  #: between two looks at a worker that may be dead


def check_unique_name(
    ledger: Ledger, name: str, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Return when no live worker has this name; raises WrongUsage when one has.

    A killed worker stays listed for a while. Its process tells it from a live one, where that can
    be looked up, or else its silence.
    """
    first = _listed(ledger, name)
    if first is None or _has_ended(first.facts):
        return
    log.info("%s was alive a moment ago: waiting to see whether it still beats", name)
    for _ in range(round(SILENT_S / _LOOK_S)):
        sleep(_LOOK_S)
        found = _listed(ledger, name)
        if found is None:
            return
        if found.seen > first.seen:
            place = f"process {found.facts.get('pid')} on {found.facts.get('host')}"
            raise WrongUsage(
                "a worker of this name is alive",
                field="--name",
                value=name,
                hint=f"It is {place}: stop it, or give this one another --name",
            )


def process_space() -> str:
    """Equal in two processes for which a process id means the same; empty if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _listed(ledger: Ledger, name: str) -> Worker | None:
    return next((worker for worker in ledger.workers() if worker.name == name), None)


def _has_ended(facts: dict[str, Any]) -> bool:
    pid, space = facts.get("pid"), process_space()
    is_of_here = bool(space) and facts.get("processes") == space
    return is_of_here and (pid == os.getpid() or not Path(f"/proc/{pid}").exists())
