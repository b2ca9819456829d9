"""A supervised child process, which is restarted when it dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from winepress_deploy.parent_death_signal import dying_with_parent
from winepress_shared.errors import FarmUnreachable
from winepress_shared.polling import poll

_POLL_S = 0.05  #: between two checks of a condition without notification, like a server's port
_FIRST_BACKOFF_S = 0.5
_LONGEST_BACKOFF_S = 30.0
_HEALTHY_S = 60.0  #: after this uptime the restart delay is reset
_HURRIED_S = 3.0  #: grace period after the user's second interrupt
_LOG_BYTES = 10_000_000  #: a longer log is renamed to ``.1`` when the child starts
_TAIL_BYTES = 4_000
_WORDS_CHARACTERS = 300  #: most characters of them in a message
_PORT_IN_USE = "ddress already in use"  #: servers often print more after it


@dataclass(frozen=True)
class Program:
    """A program to run, and how to check that it is ready."""

    name: str
    argv: tuple[str, ...]  #: without secrets: every user of the machine can read it
    env: Mapping[str, str]  #: the whole environment; only the same user can read it
    folder: Path  #: its working folder
    log: Path
    #: Called with the process id; may raise FarmUnreachable to say why it is not ready.
    is_ready: Callable[[int], bool]
    grace_s: float = 10.0  #: from SIGTERM to SIGKILL


class Child:
    """One program kept running by its own thread.

    That thread starts the program and outlives it, as `dying_with_parent` requires.
    """

    def __init__(self, program: Program, on_death: Callable[[str], None]) -> None:
        """``on_death`` is called from another thread with one sentence per unplanned end."""
        self.name = program.name
        self.program = program
        self._on_death = on_death
        self._changed = threading.Condition()
        self._keeper = threading.Thread(target=self._keep, name=f"keep {self.name}", daemon=True)
        self._pid: int | None = None
        self._deaths = 0
        self._stopping = False
        self._was_ready = False
        self._last_end = ""
        self._why_not_ready = ""

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        with self._changed:
            return self._pid

    @property
    def deaths(self) -> int:
        """How often it has ended unplanned."""
        with self._changed:
            return self._deaths

    def start(self) -> None:
        """Start the program and return at once; see `wait_ready`."""
        self._keeper.start()

    def wait_ready(self, timeout_s: float, given_up: Callable[[], bool] = lambda: False) -> None:
        """Return when the program is ready; raises FarmUnreachable if it ends or takes too long.

        Raises KeyboardInterrupt when ``given_up`` becomes true.
        """

        def is_ready() -> bool:
            if self._is_ready():
                return True
            if given_up():
                raise KeyboardInterrupt
            if self.deaths and not self._was_ready:
                raise self._failure(f"{self._last_end} while starting")
            return False

        if not poll(is_ready, every_s=_POLL_S, timeout_s=timeout_s, pause=self._await_change):
            raise self._failure(f"was not ready after {timeout_s:.0f} s")
        self._was_ready = True

    def _await_change(self, timeout_s: float) -> None:
        with self._changed:
            self._changed.wait(timeout_s)

    def kill(self) -> None:
        """Kill it with SIGKILL and return when it is dead; it is then restarted."""
        with self._changed:
            deaths = self._deaths
            self._send(signal.SIGKILL)
            self._changed.wait_for(lambda: self._deaths > deaths or self._pid is None)

    def ask_to_stop(self) -> None:
        """Send SIGTERM and return at once; it is not restarted."""
        with self._changed:
            self._stopping = True
            self._send(signal.SIGTERM)
            self._changed.notify_all()

    def wait_stopped(self, is_hurried: Callable[[], bool] = lambda: False) -> None:
        """Wait for its end, killing it after its grace period; call `ask_to_stop` first."""
        deadline = time.monotonic() + self.program.grace_s
        while self._keeper.is_alive() and time.monotonic() < deadline:
            if is_hurried():
                deadline = min(deadline, time.monotonic() + _HURRIED_S)
                is_hurried = _never
            self._keeper.join(_POLL_S)
        if self._keeper.is_alive():
            with self._changed:
                self._send(signal.SIGKILL)
            self._keeper.join()

    def _is_ready(self) -> bool:
        pid = self.pid
        try:
            return pid is not None and self.program.is_ready(pid)
        except FarmUnreachable as error:
            self._why_not_ready = error.problem
            return False

    def _keep(self) -> None:
        backoff_s = _FIRST_BACKOFF_S
        while not self._stopping:
            began = time.monotonic()
            try:
                process = self._spawn()
            except OSError as error:  # no room for a log, no process left
                end = f"could not be started ({error.strerror})"
                self._note_death(end)
            else:
                if process is None:
                    return
                end = self._reap(process)
            if time.monotonic() - began > _HEALTHY_S:
                backoff_s = _FIRST_BACKOFF_S
            with self._changed:
                if self._stopping:
                    return
            at = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"
            with suppress(OSError):  # where it would be said, nothing can be written
                self._on_death(f"{at} {self.name} {end}; restarting it in {backoff_s:g} s")
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, backoff_s)
            backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        with self._changed, open_log(self.program.log) as log:
            if self._stopping:
                return None
            process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
                dying_with_parent(self.program.argv),
                env=dict(self.program.env),
                cwd=self.program.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # only the supervisor gets the terminal's Ctrl-C
                umask=0o077,
            )
            self._pid = process.pid
            return process

    def _reap(self, process: subprocess.Popen[bytes]) -> str:
        """Wait for the end, kill the program's remaining children, return how it ended."""
        # The leader is reaped last, so its process and group ids cannot be reused meanwhile.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with self._changed:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            self._pid = None
            end = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            self._note_death(end)
        return end

    def _note_death(self, end: str) -> None:
        with self._changed:
            if not self._stopping:
                self._deaths += 1
                self._last_end = end
            self._changed.notify_all()

    def _send(self, number: signal.Signals) -> None:
        if self._pid is not None:
            os.kill(self._pid, number)

    def _failure(self, problem: str) -> FarmUnreachable:
        why = f" ({self._why_not_ready})" if self._why_not_ready else ""
        said = _last_words(self.program.log)
        return FarmUnreachable(
            f"{self.name} {problem}{why}" + (f", saying: {said}" if said else ""),
            hint=f"Its log is {self.program.log}",
        )


def _never() -> bool:
    return False


def open_log(path: Path) -> BinaryIO:
    """The log of a program, to append to; a long one is renamed to ``.1``. Raises OSError."""
    with suppress(FileNotFoundError):
        if path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def _last_words(path: Path) -> str:
    """The last meaningful line of a log, or the one with the cause.

    Includes the line it continues, without control characters, shortened.
    """
    with suppress(OSError), path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = log.read().decode("utf-8", "replace").splitlines()
        said = [_printable(_message_of(line)).rstrip() for line in lines if line.strip()]
        taken = [line for line in said if _PORT_IN_USE in line]
        said = taken[-1:] or said[-2:]
        if len(said) == 2 and not said[1].startswith("  "):  # our commands indent hints
            del said[0]
        return ". ".join(line.strip() for line in said)[-_WORDS_CHARACTERS:]
    return ""


def _message_of(line: str) -> str:
    """What a line says, which may be a record of a JSON log."""
    try:
        return str(json.loads(line)["message"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return line


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line)
