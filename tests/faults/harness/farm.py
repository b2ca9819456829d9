"""A farm to be struck: a real broker, a real store, and workers that are started again."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import redis
from faults.harness.forked_workers import ForkedWorkers
from faults.harness.kept_worker import KeptWorker
from faults.harness.witness import Witness
from faults.harness.worker_processes import WorkerProcesses
from pydantic import SecretStr
from support.servers import SeaweedServer, ValkeyServer

from winepress import Client, JobHandle, TextToImage
from winepress_shared.errors import BrokerUnreachable, FarmUnreachable
from winepress_shared.jobs.job import Job
from winepress_shared.settings import Settings

T = TypeVar("T")

PATIENCE_S = 120.0
_START_S = 600.0  #: many workers on a busy machine take long to import everything
_LOOK_S = 0.05
_SMALL = {"width": 64, "height": 64, "num_inference_steps": 4}


@dataclass(frozen=True)
class Servers:
    """A broker and a store, which several farms use one after the other."""

    broker: ValkeyServer
    store: SeaweedServer

    @classmethod
    @contextmanager
    def running(cls, folder: Path, *store_flags: str) -> Iterator[Servers]:
        """New ones with their data below ``folder``, while inside."""
        places = [folder / name for name in ("broker", "store")]
        for place in places:
            place.mkdir(parents=True)
        with ValkeyServer(places[0]) as broker, SeaweedServer(places[1], *store_flags) as store:
            yield cls(broker, store)


@dataclass(frozen=True)
class Sent:
    """One job that was accepted, and what was asked for."""

    handle: JobHandle
    job: Job


@dataclass
class StruckFarm:
    """A farm of its own on some servers; everything of it ends with the ``with`` block."""

    servers: Servers
    folder: Path
    #: Settings of the fake engine; None: the models of `home` are drawn with.
    engine: Mapping[str, object] | None = field(default_factory=dict)
    home: Path | None = None
    patience_s: float = PATIENCE_S
    reaching: dict[str, Any] = field(default_factory=dict)  #: settings of its workers alone
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.witness = Witness(self.folder / "witness.jsonl")
        own = {"farm": f"t{secrets.token_hex(6)}", "home": self.home or self.folder / "home"}
        url = SecretStr(self.servers.broker.url)
        self.settings: Settings = self.servers.store.address.settings(broker_url=url, **own)
        self.workers: list[WorkerProcesses] = []
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self.client = self._held.enter_context(Client(self.settings))
        self.broker = self._held.enter_context(redis.Redis.from_url(self.servers.broker.url))
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.end()
        self._held.close()

    def use_folder(self) -> None:
        """Have everybody use a folder as the store, from now on."""
        own = {"s3_endpoint": None, "s3_access_key_id": None, "s3_secret_access_key": None}
        folder = {"store_folder": self.folder / "store"}
        self.use(self.settings.model_copy(update=own | folder))

    def use(self, settings: Settings) -> None:
        """Have the test itself, and workers that start from now on, use other settings."""
        self.settings = settings
        self.client = self._held.enter_context(Client(settings))
        self.sent = [Sent(self.client.get(one.handle.id), one.job) for one in self.sent]

    def reach(self, server: str, port: int) -> None:
        """Have workers that start from now on reach ``broker`` or ``store`` by another port."""
        if server == "broker":
            self.reaching["broker_url"] = SecretStr(f"redis://127.0.0.1:{port}/0")
        else:
            self.reaching["s3_endpoint"] = f"http://127.0.0.1:{port}"

    # -- workers -----------------------------------------------------------------------------

    def start_workers(self, count: int, *flags: str, **how: Any) -> list[KeptWorker]:
        """Start workers and return when all of them are in the farm."""
        settings = self.settings.model_copy(update=self.reaching)
        flags = ("--engine", self.engine_name, "--max-batch-size", "1", *flags)
        first = len(self.workers) + 1
        new = [
            KeptWorker(settings, self.folder, f"w{number}", flags, **how)
            for number in range(first, first + count)
        ]
        self.await_ready(new)
        return new

    def fork_workers(self, count: int) -> None:
        """The same, of processes that are forked: see `ForkedWorkers`."""
        names = [f"w{number}" for number in range(1, count + 1)]
        forked = ForkedWorkers(self.settings, self.folder, names, self.engine_name)
        self.await_ready(self._held.enter_context(forked).workers)

    @property
    def engine_name(self) -> str:
        """The engine with its settings, as `winepress worker --engine` reads it."""
        if self.engine is None:
            return "openvino"
        engine = {"scratch": self.folder, "witness": self.witness.path} | dict(self.engine)
        return "fake:" + ",".join(f"{name}={value}" for name, value in engine.items())

    def await_ready(self, new: Sequence[WorkerProcesses]) -> None:
        """Add workers, and return when all of them are in the farm."""
        self.workers += new
        await_true(lambda: {one.name for one in new} <= self.ready_workers(), _START_S)

    def ready_workers(self) -> set[str]:
        """The names of the workers whose rendering process has described itself."""
        return {one.name for one in self.client.workers() if "pid" in one.renderer}

    # -- jobs --------------------------------------------------------------------------------

    def submit(self, count: int, n: int = 3, **fields: Any) -> list[Sent]:
        """Submit ``count`` jobs of ``n`` small pictures, each with words and a seed of its own."""
        first = len(self.sent) + 1
        jobs = [
            TextToImage(
                **{"prompt": f"job {number}", "seed": 1000 * number, "n": n, **_SMALL, **fields}
            )
            for number in range(first, first + count)
        ]
        return self.submit_jobs(jobs)

    def submit_jobs(self, jobs: Sequence[Job]) -> list[Sent]:
        """Submit jobs, again after an outage, as producers do that want each accepted once."""
        first = len(self.sent)
        for number, job in enumerate(jobs, first):
            submit = partial(self.client.submit, job, idempotency_key=f"job-{number}")
            self.sent.append(Sent(outlasting(submit), job))
        return self.sent[first:]

    def await_ended(self, patience_s: float = PATIENCE_S) -> None:
        """Return when every job that was submitted has ended, however it did."""
        waiting = [one.handle for one in self.sent]

        def is_over() -> bool:
            while waiting:
                if not outlasting(waiting[-1].status).state.is_terminal:
                    return False
                waiting.pop()
            return True

        await_true(is_over, patience_s)

    def await_begun(self, pictures: int = 1) -> None:
        """Return when so many pictures were begun."""
        await_true(lambda: self.witness.begun().total() >= pictures)

    def await_drawn(self, pictures: int = 1) -> None:
        """Return when so many pictures were drawn."""
        await_true(lambda: self.witness.drawn().total() >= pictures)

    # -- books -------------------------------------------------------------------------------

    def key(self, *parts: object) -> str:
        """The name of a key of this farm in the broker."""
        return ":".join([self.settings.farm, *map(str, parts)])

    def drop_connections(self) -> None:
        """Have the broker end every connection but this one."""
        with _reaching():
            self.broker.client_kill_filter(_type="normal", skipme=True)
            self.broker.client_kill_filter(_type="pubsub")

    def configure(self, name: str, value: object) -> None:
        """Set an option of the broker; raises BrokerUnreachable."""
        with _reaching():
            self.broker.config_set(name, str(value))

    def connections(self) -> list[dict[str, str]]:
        """What the broker tells of its clients; raises BrokerUnreachable."""
        with _reaching():
            return list(self.broker.client_list())

    def succeeded(self) -> int:
        """Jobs that have succeeded; raises BrokerUnreachable."""
        with _reaching():
            return int(self.broker.zcard(self.key("jobs:succeeded")))

    def standing(self) -> dict[str, object]:
        """What tells why nothing is drawn; raises BrokerUnreachable."""
        with _reaching():
            return {
                "open": self.open_units(),
                "waiting": self.client.ledger.waiting(),
                "leases": self.broker.zcard(self.key("leases")),
                "tickets": self.broker.llen(self.key("queue:vignette.fp16")),
                "parked": self.client.lanes.parked("vignette.fp16"),
                "workers": sorted(self.ready_workers()),
                "alive": [one.name for one in self.workers if one.renderer_pid],
            }

    def open_units(self) -> int:
        """Pictures that have not ended; raises BrokerUnreachable."""
        with _reaching():
            return int(self.broker.get(self.key("open")) or 0)


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError):
        raise BrokerUnreachable("the broker was struck") from None


def await_true(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Return when ``condition`` holds; fails when it does not in time."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(_LOOK_S)


def outlasting(call: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """The answer of ``call``, repeated while the farm cannot be reached."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return call()
        except FarmUnreachable:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_S)
