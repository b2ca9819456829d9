"""A gateway that is killed: clients that try again lose nothing and order nothing twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from winepress import Client
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions

_SUBMITTERS = 15
_EACH = 12
_PATIENCE_S = 120
_PAUSE_S = 0.1  #: of a client whose gateway is away


def _submit_patiently(http: httpx.Client, key: str) -> str:
    """The id of a job, submitted as clients do that try again; fails after two minutes."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            answer = http.post("/v1/jobs", json={"prompt": key}, headers={"Idempotency-Key": key})
            if answer.status_code == 202:
                found: str = answer.json()["id"]
                return found
            assert answer.status_code >= 500, answer.text
        except httpx.TransportError:
            pass
        time.sleep(_PAUSE_S)
    raise AssertionError(f"{key} was never accepted")


@pytest.mark.slow
def test_submitters_survive_two_kills_of_the_gateway(tmp_path: Path) -> None:
    """Every job is there exactly once, whichever answer a kill has cut off."""
    options = FarmOptions(state=tmp_path, workers=0, flower=False, gateway=True)
    with Farm(options) as farm, Client(farm.settings) as client:
        url, accepted = farm.urls["gateway"], threading.Semaphore(0)

        def submit_some(number: int) -> list[str]:
            ids = []
            with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
                for one in range(_EACH):
                    ids.append(_submit_patiently(http, f"order-{number}-{one}"))
                    accepted.release()
            return ids

        with ThreadPoolExecutor(_SUBMITTERS) as pool:
            futures = [pool.submit(submit_some, number) for number in range(_SUBMITTERS)]
            for _ in range(2):
                for _ in range(_SUBMITTERS * _EACH // 3):
                    assert accepted.acquire(timeout=_PATIENCE_S)
                farm.services["gateway"].kill()
            told = [job_id for future in futures for job_id in future.result()]

        stored = Counter(client.archive.read_job(row.id).job.prompt for row in client.list())
        rest = {row.id for row in client.list(limit=10_000)}
        assert len(set(told)) == _SUBMITTERS * _EACH
        assert rest == set(told)
        assert max(stored.values()) == 1
