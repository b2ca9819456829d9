"""What one more of each costs: a waiting picture, a job, a worker, a picture that is drawn."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from pydantic import SecretStr

from winepress import Client, JobHandle, TextToImage
from winepress_shared.polling import poll
from winepress_shared.settings import Settings

# The servers of the tests are started the same way here; what they need is beside them.
sys.path.insert(0, str(Path(__file__).parents[1]))

from support.command_line import environment
from support.servers import ValkeyServer, free_ports, serving_s3
from support.worker_process import WorkerProcess

_JOBS = 500
_UNITS = 1_000  # of each large job
_DRAWN = 100  # jobs of one picture
_WORKERS = 2
_IDLE_S = 30.0
_PATIENCE_S = 600.0
_STEPS = 20  # of a picture, as most models draw


class Broker:
    """A server's own figures."""

    def __init__(self, client: Client, port: int) -> None:
        self._server: Any = client._server.client
        self._port = port

    @property
    def memory(self) -> int:
        """Bytes in use for data."""
        return int(self._server.info("memory")["used_memory"])

    @property
    def cpu_s(self) -> float:
        """Processor time so far."""
        found = self._server.info("cpu")
        return float(found["used_cpu_sys"]) + float(found["used_cpu_user"])

    def empty(self) -> None:
        """Forget all data, and be done with it when this returns."""
        self._server.execute_command("FLUSHDB", "SYNC")

    def share(self) -> float:
        """Share of a core that it takes for a while in which nobody asks for anything."""
        before = self.cpu_s
        time.sleep(_IDLE_S)
        return (self.cpu_s - before) / _IDLE_S

    def connections(self, root: int) -> int:
        """Connections that a process and its children hold."""
        processes = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
        return sum(
            one.status == psutil.CONN_ESTABLISHED and one.raddr.port == self._port
            for process in processes
            for one in process.net_connections("tcp")
            if one.raddr
        )


def _until(is_so: Callable[[], bool]) -> None:
    assert poll(is_so, every_s=0.2, timeout_s=_PATIENCE_S)


def _job(**fields: Any) -> TextToImage:
    return TextToImage(prompt="a red apple on a table, studio light", **fields)


def show_waiting(client: Client, broker: Broker) -> None:
    """Memory of the broker for what waits; the jobs are small ones, then large ones."""
    client.submit(_job())  # loads the scripts
    broker.empty()
    for name, units in (("of one picture", 1), (f"of {_UNITS:,} pictures", _UNITS)):
        before = broker.memory
        client.submit_many([_job(n=units)] * _JOBS)
        grown = broker.memory - before
        print(
            f"a waiting job {name}: {grown / _JOBS:,.0f} bytes of the broker, "
            f"{grown / _JOBS / units:,.1f} for each picture"
        )
        broker.empty()


def _rss(process: subprocess.Popen[bytes]) -> int:
    return int(psutil.Process(process.pid).memory_info().rss)


@contextmanager
def _gateway(settings: Settings, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "winepress", "gateway", "--port", str(port)]
    process = subprocess.Popen(command, env=environment(settings), stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def show_gateway(settings: Settings, broker: Broker) -> None:
    """Memory of a gateway before and after it has taken jobs, and its connections."""
    (port,) = free_ports(1)
    with (
        _gateway(settings, port) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as http,
    ):

        def answers() -> bool:
            try:
                return http.get("/healthz").is_success
            except httpx.TransportError:
                return False

        def submit(count: int) -> int:
            for _ in range(count):
                http.post("/v1/jobs", json={"prompt": "an apple", "n": _UNITS}).raise_for_status()
            return _rss(process)

        _until(answers)
        first, then = submit(_DRAWN), submit(_JOBS)
        print(
            f"gateway: {first / 2**20:.0f} MiB after {_DRAWN:,} jobs of {_UNITS:,} pictures, "
            f"{then / 2**20:.0f} MiB after {_JOBS:,} more; "
            f"{broker.connections(process.pid)} connections to the broker"
        )


def _draw(client: Client) -> list[JobHandle]:
    handles = list(client.submit_many([_job(num_inference_steps=_STEPS)] * _DRAWN))
    for handle in handles:
        handle.wait(timeout=_PATIENCE_S)
    return handles


def show_workers(client: Client, settings: Settings, broker: Broker, folder: Path) -> None:
    """What workers cost the broker, idle and drawing, and what a drawn job leaves behind."""
    alone = broker.share()
    with ExitStack() as stack:
        for number in range(_WORKERS):
            name = f"w{number}"
            stack.enter_context(WorkerProcess(settings, folder, name, "fake:step_s=0.005"))
        _until(lambda: len(client.workers()) == _WORKERS)
        _draw(client)  # models are loaded, connections are open
        memory, cpu_s = broker.memory, broker.cpu_s
        handles = _draw(client)
        drawn_s = (broker.cpu_s - cpu_s) / _DRAWN
        ended = (broker.memory - memory) / _DRAWN
        pids = [int(worker.facts["pid"]) for worker in client.workers()]
        connections = [broker.connections(pid) for pid in pids]
        idle = (broker.share() - alone) / _WORKERS
    print(f"a worker: {max(connections)} connections, {idle:.3%} of a core of the broker, idle")
    print(f"a job of one picture: {drawn_s * 1000:.2f} ms of a core of the broker, start to end")
    print(f"an ended job: {ended:,.0f} bytes of the broker, while it is listed")
    sizes = [
        sum(
            one.size
            for one in client.archive.store.list(f"jobs/{handle.id}/")
            if "/out/" not in one.key
        )
        for handle in handles
    ]
    print(f"its job.json and result.json: {max(sizes):,} bytes of the store")


def show_disk(settings: Settings, folder: Path) -> None:
    """Disk of the store for objects of about the size of pictures."""
    with Client(settings) as client:
        before = _used(folder)
        for size in (2**14, 2**19, 2**21):
            for number in range(100):
                client.archive.store.put(f"sizes/{size}/{number}", os.urandom(size))
            used = _used(folder) - before
            print(f"an object of {size:,} bytes: {used / 100:,.0f} bytes of disk")
            before = _used(folder)


def _used(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Print all of it."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "valkey").mkdir()
        (folder / "weed").mkdir()
        server = stack.enter_context(ValkeyServer(folder / "valkey"))
        settings = Settings(
            farm="capacity",
            broker_url=SecretStr(server.url),
            store_folder=folder / "store",
            home=folder / "home",
        )
        client = stack.enter_context(Client(settings))
        broker = Broker(client, server.port)
        show_waiting(client, broker)
        show_workers(client, settings, broker, folder)
        show_gateway(settings, broker)
        s3 = stack.enter_context(serving_s3(folder / "weed"))
        show_disk(s3.settings(farm="capacity"), folder / "weed")


if __name__ == "__main__":
    main()
