"""Silences the notices of the libraries that draw; their errors are still raised."""

from __future__ import annotations

import logging

import diffusers
import transformers


def quiet_libraries() -> None:
    """Show neither warnings nor progress bars."""
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
    for name in ("nncf", "optimum"):
        logging.getLogger(name).setLevel(logging.ERROR)
