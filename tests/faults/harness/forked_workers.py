"""Workers forked from a process that has imported everything: a kill costs a tenth of the time.

Celery, parent, supervisor and renderer are the real ones, each in a process of its own. Only what
an interpreter does at its start is left out.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from faults.harness.worker_processes import WorkerProcesses, is_alive
from support.command_line import environment

from winepress_shared.settings import Settings

_AGAIN_S = 0.05  #: from the end of a worker to its next start
_PR_SET_PDEATHSIG = 1  #: from <linux/prctl.h>
_STOP_S = 30.0


class ForkedWorker(WorkerProcesses):
    """One of them; its process id is in a file."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self._note = _note_of(folder, name)

    @property
    def pid(self) -> int | None:
        """The process id of its parent; None while it is dead."""
        with suppress(FileNotFoundError, ValueError):
            pid = int(self._note.read_text())
            return pid if is_alive(pid) else None
        return None

    def end(self) -> None:
        """End it; ends with all others, when its `ForkedWorkers` do."""
        self.kill_group()


class ForkedWorkers:
    """Starts them, and each again when it ends, while inside."""

    def __init__(self, settings: Settings, folder: Path, names: Sequence[str], engine: str) -> None:
        self.workers = [ForkedWorker(name, folder) for name in names]
        self._command = [sys.executable, "-m", __name__, str(folder), engine, json.dumps(names)]
        paths = os.pathsep.join(path for path in sys.path if path)
        home = {"WINEPRESS_HOME": str(settings.home), "PYTHONPATH": paths}
        self._environment = environment(settings) | home
        self._folder = folder

    def __enter__(self) -> Self:
        with (self._folder / "workers.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # the kernel ends all others
        self._process.wait(_STOP_S)


def _note_of(folder: Path, name: str) -> Path:
    return folder / f"{name}.pid"


def _keep(folder: Path, engine: str, names: Sequence[str]) -> None:
    """Fork every worker, and each again whenever it has ended."""
    _import_everything()
    gc.collect()
    gc.freeze()
    running: dict[int, str] = {}
    waiting = list(names)
    while True:
        for name in waiting:
            pid = os.fork()
            if pid == 0:
                _work(name, engine)
            running[pid] = name
            partial = folder / f"{name}.pid.new"
            partial.write_text(str(pid))
            partial.replace(_note_of(folder, name))
        pid, _ = os.wait()
        waiting = [running.pop(pid)] if pid in running else []
        time.sleep(_AGAIN_S)


def _import_everything() -> None:
    """What a worker imports and reads, without connecting to anything."""
    import celery.apps.worker
    import celery.concurrency.prefork
    import celery.worker.consumer
    import kombu.transport.redis

    import winepress_worker.parent.process
    import winepress_worker.renderer.renderer
    import winepress_worker.tasks  # noqa: F401
    from winepress_shared.stores import open_store

    assert celery.apps.worker
    assert kombu.transport.redis
    open_store(Settings.load())


def _work(name: str, engine: str) -> None:
    """Be one worker until the end."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    from winepress_shared.broker import make_celery
    from winepress_worker.logs import configure_logs
    from winepress_worker.options import WorkerOptions
    from winepress_worker.parent import process

    def forking_celery(settings: Settings) -> object:
        app = make_celery(settings)
        app.conf.worker_pool_start_method = "fork"
        return app

    code = 70
    try:
        configure_logs(Settings.load())
        setattr(process, "make_celery", forking_celery)  # noqa: B010 - the one difference
        options = WorkerOptions(name, engine=engine, max_batch_size=1, memory_budget=2**30)
        code = process.run_worker(options, Settings.load())
    finally:
        os._exit(code)


if __name__ == "__main__":
    _keep(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
