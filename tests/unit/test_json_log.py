"""A log of JSON in one process; what a worker and its renderer leave is in the integration ring."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

from winepress_shared.json_log import JsonFormatter
from winepress_shared.log_context import log_ids

_TALKATIVE = """
import logging, os, sys, threading, warnings
from winepress_shared.json_log import begin_json_log

begin_json_log(worker="ada")
logging.getLogger("ours").info("two\\nlines")
os.write(2, b"x" * 200_000 + b"\\n\\xff\\n\\n")
warnings.warn("deprecated")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
if os.fork() == 0:
    print("from a child", file=sys.stderr, flush=True)
    logging.getLogger("child").info("from its log")
    sys.exit()
os.wait()
os.system("echo from a shell >&2")

class Broken:
    def __del__(self):
        raise RuntimeError("in a finaliser")

Broken()
raise ValueError("the end\\nof it")
"""


def said_by(script: str) -> list[dict[str, Any]]:
    """What a script that ends by an exception leaves on standard error."""
    command = [sys.executable, "-W", "always", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_whoever_writes_to_standard_error_writes_records() -> None:
    """Python itself, threads, finalisers, forks, other programs; long lines become several."""
    said = said_by(_TALKATIVE)
    assert {one["worker"] for one in said} == {"ada"}
    told = [one["message"] for one in said]
    assert sum(one.count("x") for one in told if set(one) == {"x"}) == 200_000
    for message in ("two\\nlines", "\\xff", "from a child", "from its log", "from a shell"):
        assert message in told
    assert any("deprecated" in one for one in told)
    raised = [one["exception"].splitlines()[-1] for one in said if "exception" in one]
    assert raised[0].startswith("ZeroDivisionError")
    assert raised[1:] == ["RuntimeError: in a finaliser", "of it"]


def test_a_record_is_one_line_that_commands_no_terminal() -> None:
    """Not even when a program decodes it and shows the message."""
    record = logging.LogRecord(
        "a", 30, "", 0, "%s", ('"\n{"level":"INFO"}\x7f\x1b[2J\u202e',), None
    )
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == '"\\n{"level":"INFO"}\\x7f\\x1b[2J\\u202e'


def test_a_record_has_the_ids_of_what_it_is_about() -> None:
    """And of what that belongs to."""
    formatter, record = JsonFormatter(), logging.LogRecord("a", 20, "", 0, "x", (), None)
    formatter.ids["worker"] = "ada"
    with log_ids({"job": "j1"}), log_ids({"unit": 7}):
        inside = json.loads(formatter.format(record))
    assert (inside["worker"], inside["job"], inside["unit"]) == ("ada", "j1", 7)
    assert not {"job", "unit"} & json.loads(formatter.format(record)).keys()
