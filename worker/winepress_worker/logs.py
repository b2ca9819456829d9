"""What a worker's two processes write to standard error."""

from __future__ import annotations

import logging
import os
import sys
import warnings

from winepress_shared.terminal import plain_handler

_FORMAT = "%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s"


def configure_logs() -> None:
    """One line per event, with its process; called once in each process."""
    # The command has given its process a voice already, for people, which tells no time.
    logging.basicConfig(level=logging.INFO, handlers=[plain_handler(_FORMAT)], force=True)
    if not sys.warnoptions:  # what is warned of is code, which who reads a log cannot change
        warnings.simplefilter("ignore")
    # Its retries are ours to report, and it logs whole requests at INFO.
    logging.getLogger("botocore").setLevel(logging.WARNING)


def hush_libraries() -> None:
    """Silence what the libraries that render say about themselves while they are imported.

    To be called before they are. Their errors still come as exceptions.
    """
    for name in ("DIFFUSERS_VERBOSITY", "TRANSFORMERS_VERBOSITY"):
        os.environ.setdefault(name, "error")
    for name in ("diffusers", "nncf", "optimum", "torch", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
