"""A worker that is heard of no more: for how long, and what to do about it."""

from __future__ import annotations

import pytest
import redis
from support.command_line import Run, lines
from support.manual_worker import LANE, ManualWorker

from winepress_shared.ledger.ledger import Ledger
from winepress_shared.settings import Settings


class _Silence:
    """Lets time pass for workers without a heartbeat."""

    def __init__(self, settings: Settings) -> None:
        self._redis = redis.Redis.from_url(settings.broker_url.get_secret_value())
        self._farm = settings.farm

    def fall(self, worker: str, seconds: int) -> None:
        now, _ = self._redis.time()
        self._redis.zadd(f"{self._farm}:workers", {worker: (now - seconds) * 1000})


@pytest.fixture
def silence(farm_settings: Settings) -> _Silence:
    return _Silence(farm_settings)


def _find_links(run: Run) -> tuple[int, str]:
    done = run("doctor")
    return done.returncode, next(
        line for line in done.stdout.splitlines() if line.split()[1] == "links"
    )


def _beat(ledger: Ledger, *names: str) -> None:
    for name in names:
        ledger.beat(name, f"{name}/1", {"device": "CPU", "lanes": [LANE]})


def test_while_a_link_is_down_it_is_told_for_how_long_nothing_was_heard(
    run: Run, manual_worker: ManualWorker, silence: _Silence
) -> None:
    """Also when everybody else has long forgotten the worker, or nobody is left who sweeps."""
    ledger = manual_worker.ledger
    _beat(ledger, "near", "far")
    assert _find_links(run) == (0, "ok   links      every worker was heard of within the last 11 s")
    silence.fall("far", 25)
    code, line = _find_links(run)
    assert code == 3
    assert line.startswith("BAD  links      nothing was heard of these workers: far for 0:00:2")
    silence.fall("far", 3 * 3600)
    assert "far for 3:00:0" in _find_links(run)[1]
    ledger.sweep()
    code, line = _find_links(run)
    assert (code, "far for 3:00:0" in line, "--forget far" in line) == (3, True, True)
    row = next(line for line in run("workers").stdout.splitlines() if line.startswith("far"))
    assert "silent 3h" in row
    silent = {one["name"]: one["silent_s"] for one in lines(run("workers", "--json"))}
    assert (silent["near"] < 60, silent["far"] >= 3 * 3600) == (True, True)


def test_a_worker_that_comes_back_or_is_forgotten_is_lost_no_more(
    run: Run, manual_worker: ManualWorker, silence: _Silence
) -> None:
    """One that is alive is not forgotten: it would only come back."""
    ledger = manual_worker.ledger
    _beat(ledger, "near", "far", "gone")
    for name in ("far", "gone"):
        silence.fall(name, 3600)
    ledger.sweep()
    _beat(ledger, "far")
    refused = run("workers", "--forget", "far")
    assert (refused.returncode, "this worker is alive" in refused.stderr) == (4, True)
    assert run("workers", "--forget", "nobody").returncode == 4
    assert "gone" not in run("workers", "--forget", "gone").stdout
    _beat(ledger, "near")
    assert _find_links(run)[0] == 0


def test_a_worker_that_leaves_is_not_lost(
    run: Run, manual_worker: ManualWorker, silence: _Silence
) -> None:
    """It said so: nobody looks for it."""
    _beat(manual_worker.ledger, "near", "far")
    manual_worker.ledger.leave("far")
    assert _find_links(run)[0] == 0
