"""Clients of a gateway that try again until their jobs are accepted, while it is killed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from winepress import Client
from winepress_deploy.farm import Farm

_PATIENCE_S = 120
_PAUSE_S = 0.1  #: of a client whose gateway is away


def submit_while_gateway_is_killed(farm: Farm, submitters: int, each: int, kills: int = 2) -> None:
    """Submit ``submitters`` × ``each`` jobs; fails if one is lost, doubled or told wrongly.

    The gateway is killed ``kills`` times, at equal shares of the submissions. The farm must have no
    jobs before.
    """
    url, accepted = farm.urls["gateway"], threading.Semaphore(0)

    def submit_some(number: int) -> list[str]:
        ids = []
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
            for one in range(each):
                ids.append(_submit_patiently(http, f"order-{number}-{one}"))
                accepted.release()
        return ids

    with ThreadPoolExecutor(submitters) as pool:
        futures = [pool.submit(submit_some, number) for number in range(submitters)]
        for _ in range(kills):
            for _ in range(submitters * each // (kills + 1)):
                assert accepted.acquire(timeout=_PATIENCE_S)
            farm.services["gateway"].kill()
        told = [job_id for future in futures for job_id in future.result()]
    with Client(farm.settings) as client:
        _check(client, told, submitters * each)


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


def _check(client: Client, told: list[str], count: int) -> None:
    """The farm has every job that somebody was told of, once, and no other."""
    stored = [row.id for row in client.list(limit=2 * count)]
    assert len(told) == count
    assert sorted(stored) == sorted(told)
    prompts = Counter(client.archive.read_job(job_id).job.prompt for job_id in stored)
    assert len(prompts) == count
