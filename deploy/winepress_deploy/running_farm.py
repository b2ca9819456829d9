"""Finds and stops a farm that another process runs."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

from winepress_deploy.state_folder import StateFolder

_START_TIME_FIELD = 19  #: in /proc/PID/stat, counted after the command name; see proc(5)


def process_began(pid: int) -> int:
    """Start time of a process, in clock ticks since boot; raises OSError if it does not exist.

    Together with the process id it identifies a process uniquely.
    """
    text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    return int(text.rpartition(")")[2].split()[_START_TIME_FIELD])


def stop_running(state: StateFolder, timeout_s: float) -> bool | None:
    """Stop the farm of this folder and wait for its end.

    Returns None if no farm runs there, False if it still runs after ``timeout_s``.
    """
    known = state.announced()
    pid, began = known.get("pid"), known.get("began")
    if not state.is_locked() or not isinstance(pid, int) or pid <= 0:
        return None
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    try:
        if process_began(pid) != began:
            return None
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        return bool(select.select([handle], [], [], timeout_s)[0])
    except (ProcessLookupError, FileNotFoundError):  # it ended meanwhile
        return True
    finally:
        os.close(handle)
