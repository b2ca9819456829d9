"""Configures the logs of a worker's two processes, on standard error."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import suppress

from winepress_shared.json_log import json_handler
from winepress_shared.service_log import configure_log
from winepress_shared.settings import Settings
from winepress_shared.terminal import PlainFormatter, shown

FORMAT = "%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s"


def configure_logs(settings: Settings, worker: str = "") -> None:
    """Log one line per event, with its process; another call may add the name of the worker."""
    # Replaces the command's own log format, which has no time.
    configure_log(settings, FORMAT, **({"worker": worker} if worker else {}))
    if not sys.warnoptions:  # Python warnings are about code, which readers of a log cannot change
        warnings.simplefilter("ignore")
    # We report retries ourselves, and it logs whole requests at INFO.
    logging.getLogger("botocore").setLevel(logging.WARNING)


def say_in_log(message: str, _: object = None) -> None:
    """Log a message that Celery would write to standard error from a signal handler.

    The interrupted code may be in the middle of a logging call, so the line bypasses the handler.
    Further lines of the message are indented.
    """
    first, *rest = message.split("\n")
    record = logging.LogRecord("celery.apps.worker", logging.INFO, "", 0, first, (), None)
    record.exc_text = "\n".join(f"  {shown(line)}" for line in rest) or None
    handler = json_handler()
    formatter: logging.Formatter = handler.formatter if handler else PlainFormatter(FORMAT)
    with suppress(OSError):  # standard error is closed
        line = f"{formatter.format(record)}\n"
        os.write(handler.stream.fileno() if handler else 2, line.encode())


def hush_libraries() -> None:
    """Silence the import-time notices of the rendering libraries.

    Call it before they are imported. Their errors are still raised.
    """
    for name in ("DIFFUSERS_VERBOSITY", "TRANSFORMERS_VERBOSITY"):
        os.environ.setdefault(name, "error")
    for name in ("diffusers", "nncf", "optimum", "torch", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
