"""What the command line writes: results to stdout, everything else to stderr."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from winepress_shared.errors import WinepressError
from winepress_shared.json_log import json_handler
from winepress_shared.terminal import write_json, write_line

INTERRUPTED = 130  #: exit code after Ctrl-C, as a shell reports it


class StillRunning(WinepressError):
    """The time to wait is over, the job is not."""

    exit_code = 124  # as timeout(1) answers


class Console:
    """Two voices: for people, or one JSON object per line for programs."""

    def __init__(self, json_lines: bool = False) -> None:
        self.json_lines = json_lines

    def result(self, values: dict[str, Any], *lines: str) -> None:
        """One result: ``values`` with ``--json``, else ``lines``; raises OSError.

        What begins a new line inside one of them is shown as an escape; see `terminal`.
        """
        if self.json_lines:
            write_json(sys.stdout, values)
            return
        for line in lines:
            write_line(sys.stdout, line)

    def note(self, text: str) -> None:
        """A remark for the person at the terminal."""
        self._say(logging.INFO, text)

    def _say(self, level: int, *lines: str) -> None:
        """Lines for the person at the terminal, which are one record where the log is of JSON."""
        if json_handler():
            logging.getLogger("winepress").log(level, "%s", ". ".join(map(str.strip, lines)))
            return
        for line in lines:
            write_line(sys.stderr, line)

    def error(self, error: WinepressError) -> None:
        """One line that says what is wrong, and one that says what to do."""
        if self.json_lines:
            values = {
                "type": type(error).__name__,
                "message": error.message,
                "problem": error.problem,
                "field": error.field,
                "value": None if error.value is None else str(error.value)[:200],
                "allowed": error.allowed,
                "hint": error.hint,
                "exit_code": error.exit_code,
            }
            try:
                self.result({"error": values})
            except OSError:  # it is said below
                abandon_output()
        text = error.message
        if error.hint:
            text = text[: -len(f". {error.hint}")]  # the hint ends the message
        hint = [f"  {error.hint[0].upper()}{error.hint[1:]}"] if error.hint else []
        self._say(logging.ERROR, f"winepress: error: {text}", *hint)


def abandon_output() -> None:
    """Let what is written from now on, and what Python flushes at its exit, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
