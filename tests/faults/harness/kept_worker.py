"""A worker's processes: real ones, started again as a service manager would, and found by role."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from faults.harness.worker_processes import WorkerProcesses
from support.command_line import environment

from winepress_deploy.parent_death_signal import dying_with_parent
from winepress_shared.settings import Settings

_STOP_S = 60.0
_AGAIN_S = 0.05  #: from its end to its next start


class KeptWorker(WorkerProcesses):
    """``winepress worker`` in a session of its own; started again whenever it ends."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        name: str,
        flags: Sequence[str],
        *,
        wrapper: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """``wrapper`` is a program that runs it, such as ``faketime``."""
        super().__init__(name)
        self.log = folder / f"{name}.log"
        self.starts = 0
        self.is_kept = True  #: false: it stays dead, like a machine that is gone
        command = (sys.executable, "-m", "winepress", "worker", "--name", name, *flags)
        self._command = (*wrapper, *command)
        home = {"WINEPRESS_HOME": str(settings.home)}
        self._environment = environment(settings) | home | dict(variables or {})
        self._folder = folder
        self._is_over = False
        self._process: subprocess.Popen[bytes] | None = None
        self._changed = threading.Condition()
        # The kernel kills the worker when the thread that started it ends, so this one stays.
        self._keeper = threading.Thread(target=self._keep, name=f"keep {name}", daemon=True)
        self._keeper.start()

    @property
    def pid(self) -> int | None:
        """The process id of its parent; None while it is dead."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def keep(self, *, kept: bool) -> None:
        """Whether it is to be started again, now and later."""
        with self._changed:
            self.is_kept = kept
            self._changed.notify_all()

    def end(self) -> None:
        """End all its processes with force, for good."""
        self._is_over = True
        self.keep(kept=False)
        process = self._process
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(_STOP_S)

    def wait_ended(self, timeout_s: float = _STOP_S) -> int:
        """The exit code of the present process, once it has ended."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def _keep(self) -> None:
        while not self._is_over:
            with self._changed:
                self._changed.wait_for(lambda: self.is_kept or self._is_over)
                if self._is_over:
                    return
                with self.log.open("ab") as log:
                    self._process = subprocess.Popen(
                        dying_with_parent(self._command),
                        cwd=self._folder,
                        env=self._environment,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
                self.starts += 1
            self._process.wait()
            time.sleep(_AGAIN_S)
