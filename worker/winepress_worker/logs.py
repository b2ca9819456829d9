"""What a worker's two processes write to standard error."""

from __future__ import annotations

import logging

from winepress_shared.terminal import plain_handler

_FORMAT = "%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s"


def configure_logs() -> None:
    """One line per event, with its process; called once in each process."""
    # The command has given its process a voice already, for people, which tells no time.
    logging.basicConfig(level=logging.INFO, handlers=[plain_handler(_FORMAT)], force=True)
    # Its retries are ours to report, and it logs whole requests at INFO.
    logging.getLogger("botocore").setLevel(logging.WARNING)
