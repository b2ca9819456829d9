"""One name, one worker: two of one name take each other's slices for those of the dead."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from winepress_shared.errors import WrongUsage
from winepress_shared.ledger import BEAT_S, Ledger
from winepress_shared.ledger_records import Worker

_WAIT_S = BEAT_S + 1  #: by then a worker that lives has beaten again


def check_name(ledger: Ledger, name: str, wait: Callable[[float], None] = time.sleep) -> None:
    """Raise WrongUsage when another worker lives under ``name``; may take a beat to find out.

    Raises BrokerUnreachable. Two that start at the same moment are not told apart.
    """
    before = _find(ledger, name)
    if before is None or _is_gone(before):
        return
    wait(_WAIT_S)
    after = _find(ledger, name)
    if after is not None and after.seen > before.seen:
        raise WrongUsage(
            f"another worker of this name lives, on {after.facts.get('host')}",
            field="--name",
            value=name,
            hint="Give each worker of the farm a name of its own",
        )


def _find(ledger: Ledger, name: str) -> Worker | None:
    return next((worker for worker in ledger.workers() if worker.name == name), None)


def _is_gone(worker: Worker) -> bool:
    """Whether its process ran here and has ended, or had the number that is ours now."""
    pid = worker.facts.get("pid")
    is_of_here = worker.facts.get("host") == socket.gethostname()
    return is_of_here and (pid == os.getpid() or not Path(f"/proc/{pid}").exists())
