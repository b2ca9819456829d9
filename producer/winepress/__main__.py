"""The command as a process of its own: the script ``winepress`` and ``python -m winepress``."""

from __future__ import annotations

import io
import os
import signal
import sys

_INTERRUPTED = 130  #: as a shell reports SIGINT


def run() -> int:
    """Run the command of this process; returns its exit code.

    Ctrl-C during the imports ends it silently, where Python itself would print a traceback.
    """
    _make_output_take_anything()
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not under nohup
    if listens:
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    import logging
    import warnings

    if not sys.warnoptions:  # warnings of libraries are about code, not about what the user did
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
    """Prepare for prompts that the terminal cannot encode, and for closed outputs."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):  # Python itself does this for stderr
        sys.stdout.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(run())
