"""What a picture that nobody watches costs the broker, as the server of one worker counts it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr
from support.servers import ValkeyServer
from support.worker_process import WorkerProcess, await_condition

from winepress import Client, JobHandle, TextToImage
from winepress_shared.settings import Settings

_PICTURES = 40
_STEPS = 20
#: Said once for each new connection, however many pictures follow.
_GREETINGS = {"HELLO", "CLIENT", "SELECT", "PING", "AUTH"}


@dataclass
class _Heard:
    """What the server was asked, by commands, and what its scripts ran."""

    calls: Counter[str] = field(default_factory=Counter)
    inside: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, *, is_inside: bool) -> None:
        if is_inside:
            self.inside[name] += 1
        elif name not in _GREETINGS:
            self.calls[name] += 1


class _Broker:
    """A server with one farm on it, whose commands are counted."""

    def __init__(self, url: str, client: Client) -> None:
        self.client = client
        self._url = url
        self._mine = redis.Redis.from_url(url, single_connection_client=True)
        self._port = int(str(self._mine.client_info()["addr"]).rpartition(":")[2])

    def close(self) -> None:
        self._mine.close()

    def await_end(self, handles: Sequence[JobHandle]) -> None:
        wanted = {handle.id.encode() for handle in handles}
        index = f"{self.client.settings.farm}:jobs:succeeded"
        await_condition(lambda: wanted <= set(self._mine.zrange(index, 0, -1)))

    def is_idle(self) -> bool:
        """Whether the worker has told that it is warm and has nothing in hand."""
        farm = self.client.settings.farm
        warm = self._mine.exists(f"{farm}:warm_workers:vignette.fp16")
        return bool(warm) and not self._mine.exists(f"{farm}:leases")

    def count(self, jobs: Sequence[TextToImage]) -> _Heard:
        """All that is asked from the submission of jobs until the last one has ended."""
        heard, counting = _Heard(), threading.Event()
        thread = threading.Thread(target=self._listen, args=(heard, counting), name="monitor")
        thread.start()
        assert counting.wait(60)
        handles = [self.client.submit(job) for job in jobs]
        self.await_end(handles)
        self._mine.echo("end")
        thread.join()
        return heard

    def _listen(self, heard: _Heard, counting: threading.Event) -> None:
        with redis.Redis.from_url(self._url) as other, other.monitor() as monitor:
            counting.set()
            for said in monitor.listen():
                name = said["command"].partition(" ")[0].upper()
                if said["client_port"] != str(self._port):
                    heard.add(name, is_inside=said["client_type"] == "lua")
                elif name == "ECHO":
                    return


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Broker]:
    """A farm of one worker, which is warm."""
    folder: Path = tmp_path_factory.mktemp("calls")
    with ValkeyServer(folder) as server:
        url, store = SecretStr(server.url), folder / "store"
        settings = Settings(farm="calls", broker_url=url, store_folder=store, home=folder / "home")
        worker = WorkerProcess(settings, folder, "one", "fake:step_s=0.005")
        with worker, Client(settings) as client:
            found = _Broker(server.url, client)
            for _ in range(2):
                found.await_end([client.submit(_apples(4))])
            await_condition(found.is_idle)
            yield found
            found.close()


def _apples(count: int) -> TextToImage:
    return TextToImage(prompt="an apple", n=count, num_inference_steps=_STEPS, width=64, height=64)


def test_a_picture_of_a_larger_job_costs_four_calls_at_most(broker: _Broker) -> None:
    """Forty-five commands inside; over a whole job, with its submission, its end and all beats."""
    heard = broker.count([_apples(_PICTURES)])
    assert heard.calls.total() <= 4 * _PICTURES, heard.calls
    assert heard.inside.total() <= 45 * _PICTURES, heard.inside


def test_jobs_of_one_picture_cost_seven_calls_each_at_most(broker: _Broker) -> None:
    """At most 150 commands inside: each is submitted, accepted, claimed, counted and ended."""
    heard = broker.count([_apples(1)] * _PICTURES)
    assert heard.calls.total() <= 7 * _PICTURES, heard.calls
    assert heard.inside.total() <= 150 * _PICTURES, heard.inside
