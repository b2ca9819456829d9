"""A supervised child: restarted when it dies, stopped when asked, never left behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from winepress_deploy.process import Child, Program
from winepress_shared.errors import FarmUnreachable
from winepress_shared.polling import poll

_READY_S = 20
#: Writes its process id once it is ready, then sleeps for ever.
_SLEEPER = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid()))\n"
_FOREVER = "while True: time.sleep(60)"

Start = Callable[..., Child]


@pytest.fixture
def deaths() -> list[str]:
    """What the supervisor was told of unplanned ends."""
    return []


@pytest.fixture
def start(tmp_path: Path, deaths: list[str]) -> Iterator[Start]:
    """Starts ``python -c SCRIPT`` as a child, ready when the file ``pid`` holds its process id."""
    started: list[Child] = []

    def is_ready(pid: int) -> bool:
        file = tmp_path / "pid"
        return file.exists() and file.read_text() == str(pid)

    def begin(
        script: str,
        *,
        grace_s: float = 20.0,
        program: str = sys.executable,
        on_death: Callable[[str], None] = deaths.append,
    ) -> Child:
        child = Child(
            Program(
                name="sleeper",
                argv=(program, "-c", script),
                env={"PATH": os.environ["PATH"]},
                folder=tmp_path,
                log=tmp_path / "log",
                is_ready=is_ready,
                grace_s=grace_s,
            ),
            on_death,
        )
        started.append(child)
        child.start()
        return child

    yield begin
    for child in started:
        child.ask_to_stop()
        child.wait_stopped(lambda: True)


def test_a_child_that_dies_is_started_again(start: Start, deaths: list[str]) -> None:
    """The supervisor says how it ended, and the new one has a process of its own."""
    child = start(_SLEEPER + _FOREVER)
    child.wait_ready(_READY_S)
    first = child.pid
    child.kill()
    child.wait_ready(_READY_S)
    assert child.pid not in (None, first)
    (told,) = deaths
    at, _, how = told.partition(" sleeper ")
    assert how == "was killed by signal 9; restarting it in 0.5 s"
    assert abs(datetime.fromisoformat(at) - datetime.now()) < timedelta(minutes=1)


def test_a_child_is_started_again_though_nobody_can_be_told(start: Start) -> None:
    """The disk that holds the farm's own log is full, or its terminal is gone."""

    def on_death(line: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    child = start(_SLEEPER + _FOREVER, on_death=on_death)
    child.wait_ready(_READY_S)
    child.kill()
    child.wait_ready(_READY_S)
    assert child.deaths == 1


def test_a_child_that_the_machine_cannot_start_is_tried_again(start: Start, tmp_path: Path) -> None:
    """Whether for lack of memory, of processes, or of a log to write to."""
    (tmp_path / "log").mkdir()
    child = start(_SLEEPER + _FOREVER)
    with pytest.raises(FarmUnreachable, match=r"could not be started \(Is a directory\)"):
        child.wait_ready(_READY_S)
    (tmp_path / "log").rmdir()
    assert poll(lambda: child.pid is not None, every_s=0.05, timeout_s=_READY_S)


def test_a_child_that_cannot_start_is_reported_with_its_last_words(start: Start) -> None:
    """Waiting ends with the death, not with the timeout, and shows the line that explains it."""
    child = start("import sys; sys.exit('the port is taken')")
    with pytest.raises(
        FarmUnreachable, match=r"ended with exit code 1 while starting, saying: the port is taken"
    ):
        child.wait_ready(_READY_S)


def test_a_hint_among_the_last_words_is_shown_with_what_it_is_about(start: Start) -> None:
    """Our own commands say what is wrong in one line and what to do in the next."""
    child = start("import sys; sys.exit('before\\nthe name is taken\\n  Give another one\\n')")
    with pytest.raises(FarmUnreachable, match=r"saying: the name is taken\. Give another one"):
        child.wait_ready(_READY_S)


def test_a_program_that_does_not_exist_is_reported(start: Start) -> None:
    """A missing program is one sentence, like every other failure to start."""
    child = start("", program="/nonexistent/server")
    with pytest.raises(FarmUnreachable, match="cannot run /nonexistent/server: No such file"):
        child.wait_ready(_READY_S)


def test_a_child_that_never_gets_ready_is_reported(start: Start) -> None:
    """Waiting has an end."""
    child = start("import time\n" + _FOREVER)
    with pytest.raises(FarmUnreachable, match="was not ready after"):
        child.wait_ready(0.2)


def test_waiting_for_a_child_can_be_given_up(start: Start) -> None:
    """Ctrl-C need not wait for a server that is slow to start."""
    child = start("import time\n" + _FOREVER)
    with pytest.raises(KeyboardInterrupt):
        child.wait_ready(_READY_S, lambda: True)


def test_a_stopped_child_stays_stopped(start: Start, deaths: list[str]) -> None:
    """SIGTERM is enough for a child that heeds it, and its end is no death."""
    child = start(_SLEEPER + _FOREVER)
    child.wait_ready(_READY_S)
    pid = child.pid
    child.ask_to_stop()
    child.wait_stopped()
    assert child.pid is None
    assert not psutil.pid_exists(pid or 0)
    assert (child.deaths, deaths) == (0, [])


def test_a_deaf_child_is_killed_after_its_grace(start: Start) -> None:
    """A child that ignores SIGTERM cannot hold up the end of the farm."""
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    child = start(deaf + _SLEEPER + _FOREVER, grace_s=0.2)
    child.wait_ready(_READY_S)
    child.ask_to_stop()
    child.wait_stopped()
    assert child.pid is None


def test_what_a_dead_child_leaves_behind_is_swept_up(start: Start, tmp_path: Path) -> None:
    """The renderer of a killed worker would go on holding the device."""
    script = (
        "import subprocess, sys\n"
        "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "import pathlib; pathlib.Path('inner').write_text(str(inner.pid))\n"
    )
    child = start(script + _SLEEPER + _FOREVER)
    child.wait_ready(_READY_S)
    inner = psutil.Process(int((tmp_path / "inner").read_text()))
    child.kill()
    assert psutil.wait_procs([inner], timeout=_READY_S)[1] == []


def test_a_child_dies_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    """Not even SIGKILL of the supervisor leaves a child behind."""
    script = (
        "import subprocess, sys, time\n"
        "from winepress_deploy.parent_death_signal import dying_with_parent\n"
        "argv = dying_with_parent((sys.executable, '-c', 'import time; time.sleep(600)'))\n"
        "print(subprocess.Popen(argv).pid, flush=True)\n" + _FOREVER
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout
        child = psutil.Process(int(supervisor.stdout.readline()))
        supervisor.send_signal(signal.SIGKILL)
        assert psutil.wait_procs([child], timeout=_READY_S)[1] == []


def test_why_a_child_does_not_become_ready_is_told(tmp_path: Path) -> None:
    """Not only that it was not: the last try to use it says what is wrong."""

    def is_ready(_: int) -> bool:
        raise FarmUnreachable("the proxy cannot be used")

    script = _SLEEPER + _FOREVER
    argv = (sys.executable, "-c", script)
    program = Program("sleeper", argv, dict(os.environ), tmp_path, tmp_path / "log", is_ready)
    child = Child(program, lambda line: None)
    child.start()
    try:
        with pytest.raises(
            FarmUnreachable, match=r"not ready after 1 s \(the proxy cannot be used\)"
        ):
            child.wait_ready(1)
    finally:
        child.ask_to_stop()
        child.wait_stopped()


def test_a_taken_port_is_told_whatever_is_said_after_it(start: Start) -> None:
    """And no control character of a log reaches the terminal."""
    said = "bind: \\x1b[31maddress already in use\\nbye\\n"
    child = start(f"import sys; sys.stderr.write('{said}'); sys.exit(1)")
    with pytest.raises(
        FarmUnreachable, match=r"saying: bind:  \[31maddress already in use"
    ) as caught:
        child.wait_ready(_READY_S)
    assert str(caught.value).isprintable()
