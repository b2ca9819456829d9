"""What a worker's two processes write to standard error."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import suppress

from winepress_shared.terminal import PlainFormatter, plain_handler, shown

FORMAT = "%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s"


def configure_logs() -> None:
    """One line per event, with its process; called once in each process."""
    # The command has given its process a voice already, for people, which tells no time.
    logging.basicConfig(level=logging.INFO, handlers=[plain_handler(FORMAT)], force=True)
    if not sys.warnoptions:  # what is warned of is code, which who reads a log cannot change
        warnings.simplefilter("ignore")
    # Its retries are ours to report, and it logs whole requests at INFO.
    logging.getLogger("botocore").setLevel(logging.WARNING)


def say_in_log(message: str, _: object = None) -> None:
    """Log what Celery would write as it is, while a signal is handled.

    The interrupted code may be in the middle of a logging call of its own, so the line goes
    past its handler. A message of several lines becomes a record with lines set in.
    """
    first, *rest = message.split("\n")
    record = logging.LogRecord("celery.apps.worker", logging.INFO, "", 0, first, (), None)
    record.exc_text = "\n".join(f"  {shown(line)}" for line in rest) or None
    text = PlainFormatter(FORMAT).format(record)
    with suppress(OSError):  # closed: nobody listens
        os.write(2, f"{text}\n".encode())


def hush_libraries() -> None:
    """Silence what the libraries that render say about themselves while they are imported.

    To be called before they are. Their errors still come as exceptions.
    """
    for name in ("DIFFUSERS_VERBOSITY", "TRANSFORMERS_VERBOSITY"):
        os.environ.setdefault(name, "error")
    for name in ("diffusers", "nncf", "optimum", "torch", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
