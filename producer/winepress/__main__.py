"""The command as a process of its own: the script ``winepress`` and ``python -m winepress``."""

from __future__ import annotations

import io
import os
import signal
import sys

_INTERRUPTED = 130  #: as a shell reports SIGINT


def run() -> int:
    """Run the command of this process; returns its exit code.

    Ctrl-C ends it without a word while its modules are still being imported, where Python alone
    would print where it was.
    """
    _make_output_take_anything()
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not under nohup
    if listens:
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    import logging
    import warnings

    if not sys.warnoptions:  # what libraries warn of is code, not what the user did
        warnings.simplefilter("ignore")
    from winepress.cli import main
    from winepress_shared.terminal import plain_handler

    handler = plain_handler("winepress: %(message)s")
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    try:
        if listens:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return main()
    except KeyboardInterrupt:
        return _INTERRUPTED


def _make_output_take_anything() -> None:
    """A prompt may hold what the terminal's encoding lacks, and an output may be closed."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):  # Python itself does this for stderr
        sys.stdout.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(run())
