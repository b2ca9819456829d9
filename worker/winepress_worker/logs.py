"""Configures the logs of a worker's two processes, on standard error."""

from __future__ import annotations

import logging
import os
import sys
import warnings

from winepress_shared.terminal import plain_handler

_FORMAT = "%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s"


def configure_logs() -> None:
    """Log one line per event, with its process; called once in each process."""
    # Replaces the command's own log format, which has no time.
    logging.basicConfig(level=logging.INFO, handlers=[plain_handler(_FORMAT)], force=True)
    if not sys.warnoptions:  # Python warnings are about code, which readers of a log cannot change
        warnings.simplefilter("ignore")
    # We report retries ourselves, and it logs whole requests at INFO.
    logging.getLogger("botocore").setLevel(logging.WARNING)


def hush_libraries() -> None:
    """Silence the import-time notices of the rendering libraries.

    Call it before they are imported. Their errors are still raised.
    """
    for name in ("DIFFUSERS_VERBOSITY", "TRANSFORMERS_VERBOSITY"):
        os.environ.setdefault(name, "error")
    for name in ("diffusers", "nncf", "optimum", "torch", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
