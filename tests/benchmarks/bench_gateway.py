"""The gateway beside the Python client, a thousand watchers of its events, and kills meanwhile.

Each pair is measured in turn in one run, against the same broker and store. The farm has no worker:
submissions are what is measured, and a stand-in reports progress for those who watch.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import psutil
from support.command_line import environment
from support.manual_worker import LANE, ManualWorker
from support.patient_submitters import submit_while_gateway_is_killed

from winepress import Client, TextToImage
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_shared.settings import Settings

_ROUNDS = 200  #: submissions one after the other, of each kind
_AT_ONCE = 50  #: submitters
_EACH = 20  #: submissions of each of them
_TURNS = 2
_EACH_DESPITE_KILLS = 200  #: submissions of each of them while the gateway is killed twice
_WATCHERS = 1_000
_JOBS = 10  #: that they watch
_STEPS = 40  #: reported of each job
_STEP_S = 0.25
_BODY: dict[str, Any] = {"prompt": "a red apple on a teal background", "seed": 1}
_BACKEND = Path(__file__).parents[2] / "examples" / "backend"
_HEADERS_END = b"\r\n\r\n"


def one_by_one(client: Client, http: httpx.Client) -> None:
    """Median time of a submission, through the gateway and through the client."""

    def timed(call: Callable[[], object]) -> float:
        began = time.perf_counter()
        call()
        return (time.perf_counter() - began) * 1000

    pairs = [
        (
            timed(lambda: client.submit(TextToImage(**_BODY))),
            timed(lambda: http.post("/v1/jobs", json=_BODY).raise_for_status()),
        )
        for _ in range(_ROUNDS)
    ]
    own, through = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    print(f"submit, p50: client {own:.1f} ms, gateway {through:.1f} ms, ratio {through / own:.2f}")


def many_at_once(client: Client, url: str) -> None:
    """Submissions a second by 50 submitters: threads of a client, the gateway, our own backend."""

    def submit() -> None:
        client.submit(TextToImage(**_BODY))

    with backend(client.settings) as other:
        post = _posting(url, "/v1/jobs", _BODY)
        wish = _posting(other, "/pictures", _BODY | {"visitor": "ann"})
        turns = [[_rate(call) for call in (submit, post, wish)] for _ in range(_TURNS)]
    own, through, backends = (statistics.median(turn[side] for turn in turns) for side in range(3))
    print(f"{_AT_ONCE} submitters: client {own:.0f}/s, gateway {through:.0f}/s, "
          f"ratio {through / own:.2f}; backend of sixty lines {backends:.0f}/s")  # fmt: skip


def _posting(url: str, path: str, body: dict[str, Any]) -> Callable[[], None]:
    """A call that posts a body over a connection of its thread, with as little work as can be."""
    threads, text = threading.local(), json.dumps(body)
    headers = {"Content-Type": "application/json"}

    def post() -> None:
        if not hasattr(threads, "connection"):
            threads.connection = HTTPConnection(url.removeprefix("http://"), timeout=120)
        threads.connection.request("POST", path, text, headers)
        answer = threads.connection.getresponse()
        answer.read()
        assert answer.status == 202, answer.status

    return post


def _rate(call: Callable[[], object]) -> float:
    """Calls a second."""

    def some(_: int) -> None:
        for _ in range(_EACH):
            call()

    began = time.perf_counter()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(some, range(_AT_ONCE)))
    return _AT_ONCE * _EACH / (time.perf_counter() - began)


@contextmanager
def backend(settings: Settings) -> Iterator[str]:
    """The address of the example backend, in front of the same farm."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = (sys.executable, "-m", "uvicorn", "app:app", "--app-dir", str(_BACKEND))
    options = ("--port", str(port), "--log-level", "warning")
    with subprocess.Popen((*command, *options), env=os.environ | environment(settings)) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            while True:
                with suppress(httpx.TransportError):
                    httpx.get(url, trust_env=False)
                    break
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()


async def watch(host: str, port: int, job_id: str, lags: list[float]) -> None:
    """Read the events of a job to their end, and note how late each progress comes."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    await reader.readuntil(_HEADERS_END)
    async for line in reader:
        if line.startswith(b"data: "):
            event = json.loads(line[6:])
            if event["event"] == "progress":
                lags.append(time.time() - event["at"])
            if event["event"] in ("succeeded", "canceled"):
                break
    writer.close()


def watchers(client: Client, url: str, gateway: psutil.Process, count: int) -> None:
    """Lag of the events, memory of the gateway, and what the broker is asked meanwhile."""
    worker = ManualWorker(client.settings)
    worker.live(LANE)
    jobs = [client.submit(TextToImage(**_BODY)).id for _ in range(_JOBS)]
    fences = [_begun(worker) for _ in jobs]
    lags: list[float] = []
    host, port = url.removeprefix("http://").split(":")

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(watch(host, int(port), jobs[number % _JOBS], lags))

    thread = threading.Thread(target=lambda: asyncio.run(all_of_them()))
    thread.start()
    time.sleep(15)  # until they have all come
    before = _commands(client)
    _report_steps(worker, fences)
    asked = _commands(client) - before
    memory = gateway.memory_info().rss / 2**20
    time.sleep(5)
    late, read = sorted(lags), len(lags)
    for job_id in jobs:
        client.cancel(job_id)
    thread.join()
    print(f"{count} watchers of {_JOBS} jobs: {read} of {count * _STEPS} events read, "
          f"lag p50 {late[read // 2]:.2f} s, p99 {late[read * 99 // 100]:.2f} s; "
          f"gateway {memory:.0f} MiB; {asked / _STEPS:.1f} commands to the broker")  # fmt: skip


def _begun(worker: ManualWorker) -> int:
    """The fence of a slice whose first unit has been started."""
    slice_ = worker.ledger.claim(LANE, "manual", worker.holder, 1)
    assert slice_ is not None
    worker.ledger.start(slice_.fence, 0)
    return slice_.fence


def _report_steps(worker: ManualWorker, fences: list[int]) -> None:
    for step in range(1, _STEPS + 1):
        began = time.monotonic()
        for fence in fences:
            worker.ledger.progress(fence, 0, step, _STEPS)
        time.sleep(max(0.0, _STEP_S - (time.monotonic() - began)))


def _commands(client: Client) -> int:
    return int(client._server.client.info("stats")["total_commands_processed"])


def kills() -> None:
    """Ten thousand submissions while the gateway is killed twice: none is lost, none is doubled."""
    with tempfile.TemporaryDirectory() as folder:
        options = FarmOptions(state=Path(folder), workers=0, flower=False, gateway=True)
        with Farm(options) as farm:
            began = time.perf_counter()
            submit_while_gateway_is_killed(farm, _AT_ONCE, _EACH_DESPITE_KILLS)
            took = time.perf_counter() - began
    print(f"{_AT_ONCE} submitters of {_EACH_DESPITE_KILLS} jobs each, two kills: "
          f"none lost, none doubled, in {took:.0f} s")  # fmt: skip


def main() -> None:
    """Measure all, or what is named: submit, many, watch, kills."""
    wanted = sys.argv[1:] or ["submit", "many", "watch", "kills"]
    if "kills" in wanted:
        kills()
    if wanted == ["kills"]:
        return
    with tempfile.TemporaryDirectory() as folder:
        options = FarmOptions(state=Path(folder), workers=0, flower=False, gateway=True)
        with Farm(options) as farm, Client(farm.settings) as client:
            url, pid = farm.urls["gateway"], farm.services["gateway"].pid
            with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
                client.submit(TextToImage(**_BODY))
                http.post("/v1/jobs", json=_BODY).raise_for_status()
                if "submit" in wanted:
                    one_by_one(client, http)
                if "many" in wanted:
                    many_at_once(client, url)
                if "watch" in wanted:
                    for row in client.list(limit=100_000):
                        client.cancel(row.id)
                    for count in (_JOBS, _WATCHERS):
                        watchers(client, url, psutil.Process(pid), count)


if __name__ == "__main__":
    main()
