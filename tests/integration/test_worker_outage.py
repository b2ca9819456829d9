"""What a worker says of a broker that is away, in both of its processes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.servers import ValkeyServer
from support.worker_process import WorkerProcess, await_condition

from winepress_shared.ledger.ledger import Ledger
from winepress_shared.settings import Settings

_TRIES = 2  #: of the supervisor, by its heartbeats


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_an_outage_is_said_once_and_so_is_its_end(tmp_path: Path, model_home: Path) -> None:
    """Celery's own lines too, which come every two seconds."""
    folder = tmp_path / "valkey"
    folder.mkdir()
    log = tmp_path / "w.log"
    alive = tmp_path / "alive"
    with ValkeyServer(folder) as valkey:
        url, store = SecretStr(valkey.url), tmp_path / "store"
        settings = Settings(broker_url=url, store_folder=store, home=model_home)
        with WorkerProcess(settings, tmp_path, "w", "fake", "--alive-file", str(alive)):
            ledger = Ledger(settings)
            await_condition(lambda: bool(ledger.workers()))
            valkey.kill()
            await_condition(lambda: "supervisor: the broker" in log.read_text())
            for _ in range(_TRIES):
                shown = alive.stat().st_mtime_ns
                await_condition(lambda: alive.stat().st_mtime_ns > shown)  # noqa: B023
            valkey.start()
            await_condition(lambda: "answers again (it was away for" in log.read_text())
            ledger.close()
    said = [
        re.sub(r"\(.*?\)", "", line.partition(": ")[2]) for line in log.read_text().splitlines()
    ]
    outage = [line for line in said if "does not answer" in line or "Cannot connect" in line]
    assert outage
    assert len(outage) == len(set(outage))
