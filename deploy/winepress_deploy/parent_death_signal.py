"""Runs a program that the kernel kills when its supervisor dies.

Used as a script, ``python -I -S FILE SUPERVISOR_PID PROGRAM ARGUMENT...``: setting the signal
in a separate process avoids running Python between fork and exec of a threaded supervisor.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1  #: from <linux/prctl.h>


def dying_with_parent(argv: tuple[str, ...]) -> list[str]:
    """The command line that runs ``argv``, killed by the kernel when the calling process dies.

    For the kernel the parent is the calling *thread*: the program dies when that thread ends.
    """
    return [sys.executable, "-I", "-S", str(Path(__file__)), str(os.getpid()), *argv]


def _main(supervisor: str, program: str, *arguments: str) -> None:
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        sys.exit("the kernel does not support PR_SET_PDEATHSIG")
    if os.getppid() != int(supervisor):
        sys.exit("the supervisor died first")  # before the signal was set, so it will not be sent
    try:
        os.execvp(program, [program, *arguments])  # noqa: S606 - no shell wanted
    except OSError as error:
        sys.exit(f"cannot run {program}: {error.strerror}")


if __name__ == "__main__":
    _main(*sys.argv[1:])
