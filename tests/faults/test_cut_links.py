"""A worker whose link to the broker was cut goes on with the same renderer when it heals."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis
from faults.harness.tcp_proxy import TcpProxy
from pydantic import SecretStr
from support.servers import ValkeyServer
from support.worker_process import PATIENCE_S, WorkerProcess, await_condition

from winepress import Client, JobHandle, TextToImage
from winepress_shared.settings import Settings

_ENGINE = "fake:step_s=0.05"
_STEPS = 4
_UNITS = 8
_JOBS = 2
_RECONNECTS = 2  #: times of patience
_CUTS = int(os.environ.get("WINEPRESS_CUTS", "2"))
_SEED = int(os.environ.get("WINEPRESS_SEED", "1"))


class _FarWorker:
    """A worker behind a link, and what the broker says of it."""

    def __init__(self, settings: Settings) -> None:
        url = settings.broker_url.get_secret_value()
        self._redis = redis.Redis.from_url(url, decode_responses=True)
        self._farm = settings.farm

    def _key(self, *parts: str) -> str:
        return ":".join([self._farm, *parts])

    def _members(self, *parts: str) -> set[str]:
        return {str(one) for one in self._redis.smembers(self._key(*parts))}

    @property
    def fences(self) -> set[str]:
        """Of all slices that its renderer holds, lost ones too."""
        holders = self._members("processes", "far")
        return {fence for holder in holders for fence in self._members("held", holder)}

    def is_drawing(self) -> bool:
        """Whether it has begun a picture of a slice that is its own."""
        return any(self._redis.hget(self._key("lease", f), "at") for f in self.fences - self.lost)

    @property
    def lost(self) -> set[str]:
        """Of the slices that it holds those that belong to others now."""
        return {f for f in self.fences if self._redis.hget(self._key("lease", f), "void") == "1"}

    def lose_all(self) -> None:
        """Let half a minute pass for its leases; the next sweep, of the other worker, ends them."""
        leases = self._key("leases")
        self._redis.zadd(leases, dict.fromkeys(self.fences, 1), xx=True)


@contextmanager
def _two_workers(settings: Settings, far: Settings, folder: Path) -> Iterator[None]:
    with (
        WorkerProcess(settings, folder, "near", _ENGINE),
        WorkerProcess(far, folder, "far", _ENGINE),
    ):
        yield


def _cut_and_heal(link: TcpProxy, worker: _FarWorker, *, silently: bool) -> None:
    link.is_refusing = True
    if silently:
        link.stick()
    else:
        link.cut()
    had = worker.fences
    worker.lose_all()
    await_condition(lambda: had.isdisjoint(worker.fences - worker.lost))
    link.is_refusing = False
    await_condition(lambda: not worker.lost)


def test_cut_links_cost_no_renderer_and_no_picture(
    valkey_server: ValkeyServer, farm_settings: Settings, tmp_path: Path
) -> None:
    """It lost its slices to another worker meanwhile: it gives them up, and draws others.

    Every other cut is silent: nobody is told, and the connections of before stay dead.
    WINEPRESS_CUTS is how often the link is cut, WINEPRESS_SEED decides at which moments.
    """
    chance, handles = random.Random(_SEED), list[JobHandle]()
    settings = farm_settings.model_copy(update={"home": tmp_path / "home"})
    worker = _FarWorker(settings)
    with TcpProxy(valkey_server.port) as link, Client(settings) as client:

        def is_drawing() -> bool:
            if not client.ledger.waiting():  # the other one has drawn all
                job = TextToImage(prompt="a fox", n=_UNITS, num_inference_steps=_STEPS, seed=1)
                handles.extend(client.submit_many([job] * _JOBS))
            return worker.is_drawing()

        url = SecretStr(f"redis://127.0.0.1:{link.port}/0")
        far = settings.model_copy(update={"broker_url": url})
        with _two_workers(settings, far, tmp_path):
            await_condition(lambda: len(client.workers()) == 2)
            for number in range(_CUTS):
                for _ in range(_RECONNECTS):  # after a silent cut Celery notices late
                    with suppress(AssertionError):
                        await_condition(is_drawing, look_s=0.02 * chance.random())
                        break
                _cut_and_heal(link, worker, silently=number % 2 == 1)
            ended = [handle.wait(timeout=PATIENCE_S) for handle in handles]
    assert [len(handle.result.outputs) for handle in ended] == [_UNITS] * len(handles)
    log = (tmp_path / "far.log").read_text("utf-8")
    assert "is killed" not in log, log
    assert "Connection to broker lost" in log or "still waiting" in log, "nothing was cut"
