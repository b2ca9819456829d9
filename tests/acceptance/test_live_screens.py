"""`winepress watch` of several jobs and `winepress top`, on a real terminal, with real keys."""

from __future__ import annotations

import os
import signal
import termios
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from support.command_line import WINEPRESS, Run, environment, lines
from support.manual_worker import LANE, ManualWorker
from support.servers import ValkeyServer
from support.terminal_session import ENTER, LEAVE, TerminalSession

from winepress import Client, TextToImage
from winepress_shared.settings import Settings


def session(settings: Settings, *words: str) -> TerminalSession:
    return TerminalSession([str(WINEPRESS), *words], environment(settings))


def submit(client: Client, count: int = 2) -> str:
    return client.submit(TextToImage(prompt="a red apple", n=count)).id


def test_several_jobs_are_watched_with_bars_until_all_are_over(
    farm_settings: Settings, client: Client, manual_worker: ManualWorker
) -> None:
    """A row each, redrawn as its pictures come; nothing of it is an event's line."""
    first, second = submit(client), submit(client, 3)
    manual_worker.live(LANE)
    with session(farm_settings, "watch", first, second) as terminal:
        terminal.await_text(first, second, "queued")
        manual_worker.work(LANE)
        assert terminal.end() == 0, terminal.written
    last = terminal.written.rpartition("PROGRESS")[2]
    for job_id, count in ((first, "2/2"), (second, "3/3")):
        (row,) = (line for line in last.splitlines() if job_id in line)
        assert "succeeded" in row
        assert "━" in row
        assert count in row
    assert "unit-done" not in terminal.written
    assert "\x1b[?25l" not in terminal.written  # a cursor that is hidden may stay so


def test_one_failed_job_of_several_is_the_end_of_a_watch_and_not_of_the_others(
    farm_settings: Settings, client: Client, manual_worker: ManualWorker
) -> None:
    """Exit code 1, after all of them are over."""
    failing, good = submit(client, 1), submit(client, 2)
    manual_worker.live(LANE)
    with session(farm_settings, "watch", failing, good) as terminal:
        terminal.await_text(failing, good)
        manual_worker.work(LANE, most=1, failing=(0,))
        manual_worker.work(LANE)
        assert terminal.end() == 1, terminal.written
    assert f"job {failing} failed" in terminal.written
    assert "2/2" in terminal.written.rpartition("PROGRESS")[2]


def test_ctrl_c_ends_a_watch_and_no_job(farm_settings: Settings, client: Client) -> None:
    """Exit code 130, as of every command."""
    job_ids = [submit(client), submit(client)]
    with session(farm_settings, "watch", *job_ids) as terminal:
        terminal.await_text(*job_ids)
        terminal.press("\x03")
        assert terminal.end() == 130
    assert "interrupted" in terminal.written
    assert "Traceback" not in terminal.written
    assert client.get(job_ids[0]).status().state == "queued"


def test_events_of_several_jobs_say_whose_they_are(
    run: Run, client: Client, manual_worker: ManualWorker
) -> None:
    """In a pipe there is a line for each; of one job it is what it always was."""
    job_ids = [submit(client), submit(client)]
    manual_worker.work(LANE)
    told = run("watch", *job_ids)
    assert told.returncode == 0, told.stderr
    assert {line.split()[0] for line in told.stdout.splitlines()} == set(job_ids)
    events = lines(run("watch", *job_ids, "--json"))
    assert {e["job"] for e in events if e["event"] == "succeeded"} == set(job_ids)
    (one,) = (e for e in lines(run("watch", job_ids[0], "--json")) if e["event"] == "succeeded")
    assert "job" not in one
    assert run("watch", *(f"j{n}" for n in range(101))).returncode == 2


def test_top_shows_the_farm_live_until_q(
    farm_settings: Settings, client: Client, manual_worker: ManualWorker
) -> None:
    """Lanes, workers, jobs, and what comes while it runs; the terminal is as it was before."""
    first = submit(client, 5)
    manual_worker.live(LANE)
    with session(farm_settings, "top") as terminal:
        terminal.await_text("LANE", "READY", "WORKER", "DRAWING", "JOB", LANE, first, "manual")
        second = submit(client, 3)
        terminal.await_text(second, "0/3")
        slice_ = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 2)
        assert slice_ is not None
        manual_worker.ledger.start(slice_.fence, 1)
        manual_worker.ledger.progress(slice_.fence, 1, 1, 4)
        terminal.await_text("drawing", "#2 25%", "running")
        manual_worker.work(LANE)
        terminal.await_text("3/3")
        terminal.press("xq")
        assert terminal.end() == 0, terminal.written
        assert terminal.has_left_screen
        assert termios.tcgetattr(terminal._ours)[3] == terminal.modes[3]


@pytest.mark.parametrize(("stop", "code"), [("\x03", 130), (signal.SIGTERM, 143)])
def test_top_gives_the_screen_back_however_it_ends(
    farm_settings: Settings, stop: Any, code: int
) -> None:
    """Ctrl-C as well as a signal."""
    with session(farm_settings, "top") as terminal:
        terminal.await_text("LANE", "WORKER", "JOB")
        if isinstance(stop, str):
            terminal.press(stop)
        else:
            terminal.process.send_signal(stop)
        assert terminal.end() == code, terminal.written
        assert terminal.has_left_screen
        assert "Traceback" not in terminal.written
        assert termios.tcgetattr(terminal._ours)[3] == terminal.modes[3]


def test_ctrl_z_gives_the_screen_to_the_shell_until_it_is_taken_back(
    farm_settings: Settings,
) -> None:
    """As of every program that fills a screen."""
    with session(farm_settings, "top") as terminal:
        terminal.await_text("LANE", "JOB")
        terminal.press("\x1a")
        terminal.await_text(LEAVE)
        _, status = os.waitpid(terminal.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert termios.tcgetattr(terminal._ours)[3] == terminal.modes[3]
        terminal.process.send_signal(signal.SIGCONT)
        terminal.await_text(ENTER, "LANE", "JOB")
        terminal.press("q")
        assert terminal.end() == 0, terminal.written
        assert terminal.written.count(ENTER) == terminal.written.count(LEAVE) == 2


def test_top_outlives_its_broker_and_obeys_keys_meanwhile(tmp_path: Path) -> None:
    """What is shown is old then, and says so; a broker that only keeps silent holds no key up."""
    with ValkeyServer(tmp_path) as server:
        url = SecretStr(server.url)
        settings = Settings(farm="outage", broker_url=url, store_folder=tmp_path / "store")
        with Client(settings) as client, session(settings, "top") as terminal:
            terminal.await_text("JOB")
            server.kill()
            terminal.await_text("the broker does not answer", "last read")
            server.start()
            terminal.await_text(submit(client))
            assert server._process is not None
            server._process.send_signal(signal.SIGSTOP)
            terminal.press("q")
            assert terminal.end() == 0, terminal.written


def test_top_without_a_terminal_tells_the_farm_once(
    run: Run, client: Client, manual_worker: ManualWorker
) -> None:
    """As plain lines, or as JSON; a farm that is down is an error like everywhere."""
    job_id = submit(client)
    manual_worker.live(LANE)
    told = run("top")
    assert (told.returncode, told.stderr) == (0, "")
    heads = [line.split()[0] for line in told.stdout.split("\n") if line]
    assert heads == ["farm", "LANE", LANE, "WORKER", "manual", "JOB", job_id]
    (farm,) = lines(run("top", "--json"))
    assert (farm["queued"], farm["jobs"][0]["id"]) == (1, job_id)
    down = run("top", WINEPRESS_BROKER_URL="redis://127.0.0.1:1/0")
    assert down.returncode == 3
    assert down.stderr.startswith("winepress: error: ")
