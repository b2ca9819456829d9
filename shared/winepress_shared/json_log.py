"""A log of JSON, one object a line, of everything that a process writes to standard error.

Libraries in C, Python itself at a fatal error and child processes write there past `logging`. So a
pipe takes the place of standard error, and a thread makes a record of each line from it. A child
that logs JSON too marks its lines with a word that it shares with its parent; so what it says is
kept even if it is killed, and no other line can pass for one of its records.
"""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import sys
import threading
import time
import warnings
from functools import partial
from types import TracebackType
from typing import Any

from winepress_shared.log_context import ids_now
from winepress_shared.terminal import json_line, shown

FOREIGN = "stderr"  #: logger of lines that came past `logging`
_RELAY_ENV = "JSON_LOG_RELAY"  #: of child processes: the parent's pipe, and the word of its lines
_LONGEST_LINE = 2**16  #: bytes; a longer line becomes several records
_CLOSE_S = 5.0  #: most time that the end of a process waits for its last lines


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON, with the ids of what it is about."""

    def __init__(self, mark: str = "") -> None:
        """``mark`` goes before each line."""
        super().__init__()
        self._mark = mark
        self.ids: dict[str, object] = {}  #: of the whole process

    def format(self, record: logging.LogRecord) -> str:
        """The line; what would command a terminal is escaped once more, for those who decode it."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        values: dict[str, object] = {
            "time": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": shown(record.getMessage()),
            "process": record.processName,
            **self.ids,
            **ids_now(),
        }
        trace = record.exc_text
        if record.exc_info and not trace:
            trace = self.formatException(record.exc_info)
        if trace:
            values["exception"] = "\n".join(map(shown, trace.split("\n")))
        return self._mark + json_line(values)


class _Outlet:
    """A file that is written to past Python's buffers.

    A fork leaves a buffer locked in the child for ever if another thread was writing to it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def write(self, text: str) -> None:
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        while data:
            data = data[os.write(self._descriptor, data) :]

    def flush(self) -> None:
        """There is no buffer."""


class JsonHandler(logging.StreamHandler[_Outlet]):
    """Writes records to what standard error was."""

    formatter: JsonFormatter

    def write_line(self, line: str) -> None:
        """Write a line that is JSON already."""
        self.acquire()
        try:
            self.stream.write(f"{line}\n")
        except OSError:
            pass
        finally:
            self.release()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Lose the line: to complain would write another, and so on for ever."""


def json_handler() -> JsonHandler | None:
    """What writes the log of this process; None if it logs text."""
    found = (one for one in logging.getLogger().handlers if isinstance(one, JsonHandler))
    return next(found, None)


def redirect_stderr(descriptor: int) -> None:
    """Let what is written to standard error go to another file from now on."""
    handler = json_handler()
    os.dup2(descriptor, handler.stream.fileno() if handler else 2)


def begin_json_log(**ids: object) -> None:
    """Log JSON from now on; ``ids`` are of the whole process, and may come in a later call."""
    handler = json_handler() or _begin()
    handler.formatter.ids.update(ids)


def _begin() -> JsonHandler:
    mark = _mark_of_parent()
    relay = None if mark else _Relay()
    handler = JsonHandler(relay.outlet if relay else _Outlet(2))
    handler.setFormatter(JsonFormatter(mark))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    sys.excepthook = _log_exception
    threading.excepthook = _log_exception_of_thread
    sys.unraisablehook = _log_unraisable
    if relay:
        relay.start(handler)
        # Threads do not outlive a fork.
        os.register_at_fork(after_in_child=lambda: relay.start(handler))
        atexit.register(relay.close)
    return handler


class _Relay:
    """Takes the place of standard error in this process and its children."""

    def __init__(self) -> None:
        self.outlet = _Outlet(os.dup(2))
        self._mark = secrets.token_hex(8)
        self._thread: threading.Thread | None = None

    def start(self, handler: JsonHandler) -> None:
        """Begin to make records of what comes."""
        inlet, outside = os.pipe()
        os.dup2(outside, 2)
        os.close(outside)
        os.environ[_RELAY_ENV] = f"{_pipe_of_stderr()}:{self._mark}"
        work = partial(self._run, inlet, handler)
        self._thread = threading.Thread(target=work, name="stderr", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hear the last lines, unless a child goes on to speak."""
        os.dup2(self.outlet.fileno(), 2)
        if self._thread:
            self._thread.join(_CLOSE_S)

    def _run(self, inlet: int, handler: JsonHandler) -> None:
        with open(inlet, "rb") as pipe:
            while line := pipe.readline(_LONGEST_LINE):
                text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
                if text.startswith(self._mark):
                    handler.write_line(text.removeprefix(self._mark))
                elif text.strip():
                    handler.handle(_record(FOREIGN, logging.WARNING, text))


def _mark_of_parent() -> str:
    """The word of this process's lines, if a parent that logs JSON reads its standard error."""
    pipe, _, mark = os.environ.get(_RELAY_ENV, "").rpartition(":")
    return mark if pipe == _pipe_of_stderr() else ""


def _pipe_of_stderr() -> str:
    found = os.fstat(2)
    return f"{found.st_dev}:{found.st_ino}"


def _record(logger: str, level: int, text: str, error: Any = None) -> logging.LogRecord:
    return logging.LogRecord(logger, level, "", 0, "%s", (text,), error)


def _log_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logging.getLogger("winepress").critical("unexpected error", exc_info=(kind, error, trace))


def _log_exception_of_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is not None and arguments.exc_type is not SystemExit:
        _log_exception(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)


def _log_unraisable(arguments: sys.UnraisableHookArgs) -> None:
    error = arguments.exc_value
    text = f"{arguments.err_msg or 'exception ignored in'} {arguments.object!r}"
    information = (arguments.exc_type, error, arguments.exc_traceback) if error else None
    logging.getLogger("winepress").error("%s", text, exc_info=information)
