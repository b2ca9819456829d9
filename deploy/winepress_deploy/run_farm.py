"""Runs a farm for the command line, in this terminal or in the background."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Callable
from contextlib import suppress

from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.services import flower
from winepress_deploy.state_folder import StateFolder, default_state, stop_command
from winepress_deploy.stop_request import StopRequest
from winepress_shared.json_log import redirect_stderr

_INTERRUPTED = 130


def run_here(options: FarmOptions, say: Callable[[str], None], ready: int | None = None) -> int:
    """Run until stopped; returns the exit code.

    Once everything is ready, a byte is written to the descriptor ``ready`` and it is closed.
    """
    stop = StopRequest()
    try:
        with stop.on_signals(), Farm(options, say, stop) as farm:
            _say_addresses(farm, say)
            if ready is None:
                say("Ctrl-C stops the farm; a second Ctrl-C does not wait for unfinished pictures")
            else:
                _leave_terminal(farm.state, ready)
            stop.wait()
            say("stopping")
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def run_detached(options: FarmOptions, say: Callable[[str], None]) -> int:
    """Run a farm in the background; returns once it is ready, or its exit code if it fails."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.setsid()
        return run_here(options, say, writer)
    os.close(writer)
    with suppress(KeyboardInterrupt), open(reader, "rb") as pipe:  # noqa: PTH123 - a descriptor
        if pipe.read():
            stop = stop_command(StateFolder(options.state or default_state()), os.environ)
            say(f"the farm runs in the background (process {pid}); `{stop}` stops it")
            return 0
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
    return _INTERRUPTED


def _leave_terminal(state: StateFolder, ready: int) -> None:
    """Redirect output from the terminal to the log, and let the waiting command return."""
    log = os.open(state.log("farm"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    redirect_stderr(log)
    os.close(log)
    os.close(null)
    os.write(ready, b"1")
    os.close(ready)


def _say_addresses(farm: Farm, say: Callable[[str], None]) -> None:
    for name, url in farm.urls.items():
        note = ""
        if name == flower.NAME:
            note = f"  (user {flower.USER}, password in {farm.state.flower_password})"
        say(f"{name:8} {url}{note}")
    say("to use the farm in another shell:")
    say(f"  export WINEPRESS_CONFIG={shlex.quote(str(farm.state.settings))}")
