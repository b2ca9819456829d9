"""Makes what a running server asks of its disk fail, as a broken or full disk does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_CALLS = "write,pwrite64,writev,pwritev,fsync,fdatasync"
_ATTACH_S = 30.0
_LOOK_S = 0.02


@contextmanager
def failing_disk(pid: int, files: Sequence[Path], error: str) -> Iterator[None]:
    """All writes and syncs of the process to ``files`` end with ``error``, such as ``EIO``."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs the program strace, of the Debian package strace")
    of_files = [part for path in files for part in ("-P", str(path.resolve()))]
    struck = ("-e", f"trace={_CALLS}", "-e", f"inject={_CALLS}:error={error}")
    command = (strace, "-f", "-qq", "-o", os.devnull, *struck, *of_files, "-p", str(pid))
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        _await_attached(pid, tracer)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)  # it lets the server go on
        tracer.communicate()


def _await_attached(pid: int, tracer: subprocess.Popen[str]) -> None:
    """Return when every thread of the process is traced, or when the error has ended it already."""
    deadline = time.monotonic() + _ATTACH_S
    tasks = Path(f"/proc/{pid}/task")
    while not all(f"TracerPid:\t{tracer.pid}\n" in _status(task) for task in tasks.iterdir()):
        if tracer.poll() == 0:
            return
        if tracer.poll() is not None:
            pytest.skip("strace may trace nothing here")
        assert time.monotonic() < deadline, "strace did not take hold of the server"
        time.sleep(_LOOK_S)


def _status(task: Path) -> str:
    try:
        return task.joinpath("status").read_text()
    except OSError:  # the thread has ended
        return ""
