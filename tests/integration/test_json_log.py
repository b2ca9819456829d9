"""Logs of JSON: every line that a process and its children write to standard error is an object."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import environment
from support.json_records import records
from support.running_farm import wait_until
from support.servers import free_ports
from support.worker_process import WorkerProcess

from winepress import Client, TextToImage
from winepress_shared.settings import Settings

#: An engine that speaks as libraries do, and draws as the fake one.
_ENGINE = """
import logging, os, pathlib, sys
from winepress_worker.engines.fake import FakeEngine
from winepress_worker.fake_settings import FakeSettings

class Talkative(FakeEngine):
    def load(self, key):
        os.write(2, b'from C, past all of Python\\n{"level": "INFO", "message": "forged"}\\n')
        print("printed", file=sys.stderr, flush=True)
        logging.getLogger("some.library").warning('two\\nlines, "quoted" \\x1b[2J')
        return super().load(key)

def make(options, local_models, blobs):
    return Talkative(FakeSettings(scratch=pathlib.Path.cwd()), options.device)
"""
_FORGED = '{"level": "CRITICAL", "message": "all is lost"}'


def test_every_line_of_a_workers_two_processes_is_a_record(
    client: Client, farm_settings: Settings, tmp_path: Path
) -> None:
    """From its start to its stop: a traceback, what libraries write, and what Celery says."""
    (tmp_path / "talkative.py").write_text(_ENGINE, "utf-8")
    engine = "talkative=talkative:make"
    with WorkerProcess(farm_settings, tmp_path, "ada", engine, "--log-format", "json") as worker:
        job = client.submit(TextToImage(prompt=f"an apple [[bug!]]\n{_FORGED}", seed=1))
        job.wait(timeout=60)
        assert worker.stop() == 0
    said = records(tmp_path / "ada.log")
    assert {one["worker"] for one in said if one["logger"].startswith("winepress_worker.r")} == {
        "ada"
    }
    bug = next(one for one in said if "exception" in one)
    assert bug["exception"].startswith("Traceback")
    assert (bug["job"], bug["unit"], bug["lane"]) == (job.id, 0, "vignette.fp16")
    foreign = [one["message"] for one in said if one["logger"] == "stderr"]
    assert "from C, past all of Python" in foreign
    assert '{"level": "INFO", "message": "forged"}' in foreign
    assert "printed" in foreign
    (library,) = (one["message"] for one in said if one["logger"] == "some.library")
    assert library == 'two\\nlines, "quoted" \\x1b[2J'
    assert not [one for one in said if one["message"] in ("forged", "all is lost")]
    assert "worker: Warm shutdown (MainProcess)" in [one["message"] for one in said]


@pytest.mark.parametrize("words", [("gateway", "--port", "0"), ("metrics", "--port", "0")])
def test_a_usage_error_of_a_command_that_serves_is_a_record(words: tuple[str, ...]) -> None:
    """Also before its settings are read."""
    command = [sys.executable, "-m", "winepress", *words, "--log-format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    (said,) = (json.loads(line) for line in done.stderr.splitlines())
    assert (done.returncode, said["level"]) == (2, "ERROR")
    assert "not a port" in said["message"]


def test_a_command_that_serves_logs_json_by_its_setting(
    farm_settings: Settings, tmp_path: Path
) -> None:
    """From the address that it announces to the end."""
    log, (port,) = tmp_path / "log", free_ports(1)
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "winepress", "metrics", "--port", str(port)],
            env=environment(farm_settings) | {"WINEPRESS_LOG_FORMAT": "json"},
            cwd=tmp_path,
            stderr=file,
        )
    try:
        wait_until(lambda: log.stat().st_size > 0)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert records(log)[0]["message"].startswith("metrics of farm")
