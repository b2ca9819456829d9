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

_LEAVING = "%s is leaving the farm: waiting until it has ended what it draws"
_MAY_BE_DEAD = "%s was alive a moment ago: waiting to see whether it still beats"
_LOOK_S = 0.5  #: between two looks at a worker that may be dead


def check_unique_name(
    ledger: Ledger, name: str, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Return when no live worker has this name; raises WrongUsage when one has that stays.

    A killed worker stays listed for a while. Its process tells it from a live one, where that can
    be looked up, or else its silence. One that is leaving is waited for.
    """
    last, said, silent = _listed(ledger, name), "", 0
    while last is not None and not _has_ended(last.facts) and silent < SILENT_S / _LOOK_S:
        words = _LEAVING if _drains(last) else _MAY_BE_DEAD
        if words != said:
            log.info(words, name)
            said = words
        sleep(_LOOK_S)
        now = _listed(ledger, name)
        beats = now is not None and now.seen > last.seen
        if now is not None and beats and not _drains(now):
            raise _alive(now)
        last, silent = now, 0 if beats else silent + 1


def _alive(worker: Worker) -> WrongUsage:
    place = f"process {worker.facts.get('pid')} on {worker.facts.get('host')}"
    return WrongUsage(
        "a worker of this name is alive",
        field="--name",
        value=worker.name,
        hint=f"It is {place}: stop it, or give this one another --name",
    )


def _drains(worker: Worker) -> bool:
    return worker.facts.get("draining") is True


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
