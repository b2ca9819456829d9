"""``winepress worker`` with the fake engine, as a process of a test's own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from support.command_line import environment
from winepress_shared.settings import Settings

PATIENCE_S = 60


class WorkerProcess:
    """One worker; nobody starts it again when it is killed."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        name: str,
        engine: str = "fake",
        *flags: str,
        hub: str | None = None,
        scratch: Path | None = None,
    ) -> None:
        """``hub`` is where it looks for models, if not where everybody does.

        ``scratch`` is where it makes films.
        """
        self.name = name
        command = [sys.executable, "-m", "winepress", "worker", "--engine", engine, *flags]
        variables = {"WINEPRESS_HOME": str(settings.home)}
        if hub:
            variables["HF_ENDPOINT"] = hub
        if scratch:
            variables["TMPDIR"] = str(scratch)
        if settings.share_blobs:
            variables["WINEPRESS_SHARE_BLOBS"] = "true"
        if settings.catalogue:
            variables["WINEPRESS_CATALOGUE"] = str(settings.catalogue)
        with (folder / f"{name}.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--name", name],
                cwd=folder,
                env=environment(settings) | variables,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        finally:
            self._process.kill()

    def stop(self) -> int:
        """Have it leave as systemd does; returns its exit code."""
        self._process.terminate()
        return self._process.wait(PATIENCE_S)

    def ask_to_stop(self) -> None:
        """The same, without waiting for its end."""
        self._process.terminate()

    def await_end(self, within_s: float) -> int:
        """The exit code of one that was asked to stop."""
        return self._process.wait(within_s)

    def kill(self) -> None:
        """End its parent as a crash does; the renderer dies with it."""
        self._process.kill()
        self._process.wait(PATIENCE_S)


def await_condition(condition: Callable[[], bool], look_s: float = 0.1) -> None:
    """Return when ``condition`` holds; fails the test when it never does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(look_s)
