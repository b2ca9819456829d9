"""How often worker and producer wait for the broker: a link of 200 ms takes as long each time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import redis
from support.local_worker import LocalWorker

from winepress import Client, TextToImage
from winepress_shared.settings import Settings
from winepress_shared.stores.farm import FarmStore

_LANE = "vignette.fp16"
_PICTURES = 4  #: by which the longer of two runs is longer
_STEPS = 20


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Name of a thread → how often it sent something to Redis and waited for the answer.

    What a new connection of the pool says first is not counted: it is said once for many pictures.
    """
    found: Counter[str] = Counter()
    greeting: set[redis.Connection] = set()
    send: Callable[..., None] = redis.Connection.send_packed_command
    greet: Callable[..., None] = redis.Connection.on_connect_check_health

    def greeted(self: redis.Connection, *args: Any, **kwargs: Any) -> None:
        greeting.add(self)
        greet(self, *args, **kwargs)
        greeting.discard(self)

    def counted(self: redis.Connection, *args: Any, **kwargs: Any) -> None:
        found[threading.current_thread().name.partition("_")[0]] += self not in greeting
        send(self, *args, **kwargs)

    monkeypatch.setattr(redis.Connection, "on_connect_check_health", greeted)
    monkeypatch.setattr(redis.Connection, "send_packed_command", counted)
    return found


@pytest.fixture
def local_worker(farm_settings: Settings, client: Client) -> LocalWorker:
    """A worker whose model is warm; a step takes long enough for a report."""
    local_worker = LocalWorker(farm_settings, engine="fake:step_s=0.015")
    run(local_worker, client, 1)
    return local_worker


def _apple(**fields: Any) -> TextToImage:
    return TextToImage(prompt="an apple", num_inference_steps=_STEPS, width=64, height=64, **fields)


def run(local_worker: LocalWorker, client: Client, jobs: int, **fields: Any) -> None:
    """Have one ticket's work of so many jobs done, in a thread ``renderer``."""
    job = _apple(**fields)
    handles = [client.submit(job) for _ in range(jobs)]
    thread = threading.Thread(target=local_worker.renderer.run, args=(_LANE,), name="renderer")
    thread.start()
    thread.join()
    for handle in handles:
        assert len(handle.wait(timeout=0).result.outputs) == job.n


def test_single_pictures_cost_two_round_trips_each_while_drawing(
    local_worker: LocalWorker, client: Client, trips: Counter[str]
) -> None:
    """For the next slice, whose picture begins with it, and for a look at the lanes.

    Steps, descriptions and tickets are told beside the drawing. Delivery counts the picture and
    ends its job, while the next one is drawn: four in a row in all.
    """
    run(local_worker, client, 1)
    trips.clear()
    run(local_worker, client, 1)
    short = Counter(trips)
    trips.clear()
    run(local_worker, client, 1 + _PICTURES)
    assert trips["renderer"] - short["renderer"] <= 2 * _PICTURES
    assert trips["delivery"] - short["delivery"] <= 2 * _PICTURES


def test_pictures_of_one_job_cost_one_round_trip_each_while_drawing(
    local_worker: LocalWorker, client: Client, trips: Counter[str]
) -> None:
    """Each is begun before it is drawn; the first of a slice together with the slice.

    There are fewer slices than pictures, so their claims and looks cost less than one more.
    """
    run(local_worker, client, 1, n=2)
    trips.clear()
    run(local_worker, client, 1, n=16)
    assert trips["renderer"] <= 2 * 16
    assert trips["delivery"] <= 16 + 2


def test_pictures_of_several_jobs_that_share_calls_cost_less_than_one_round_trip_each(
    farm_settings: Settings, client: Client, trips: Counter[str]
) -> None:
    """One claim, one start of all but the first, and one look at the lanes for each call."""
    local_worker = LocalWorker(farm_settings, engine="fake:step_s=0.015,more=0.2")
    run(local_worker, client, 24)  # learns that four in a call pay
    trips.clear()
    run(local_worker, client, 1)
    short = Counter(trips)
    trips.clear()
    run(local_worker, client, 1 + 2 * _PICTURES)
    assert trips["renderer"] - short["renderer"] <= 2 * _PICTURES
    assert trips["delivery"] - short["delivery"] <= 2 * 2 * _PICTURES


def test_a_submission_waits_for_the_broker_twice(client: Client, trips: Counter[str]) -> None:
    """For its place, and to be accepted; that says whether a ticket is to be left as well."""
    client.submit(_apple())  # its lane has a ticket from now on
    trips.clear()
    for _ in range(_PICTURES):
        client.submit(_apple())
    assert trips[threading.current_thread().name] == 2 * _PICTURES


def test_whoever_waits_for_a_job_that_is_over_asks_the_broker_twice(
    local_worker: LocalWorker, client: Client, trips: Counter[str]
) -> None:
    """For its events, and for its row: nothing is asked again that the row has said."""
    handle = client.submit(_apple())
    local_worker.renderer.run(_LANE)
    trips.clear()
    handle.wait(timeout=0)
    assert trips[threading.current_thread().name] <= 2


def test_a_job_of_one_picture_costs_the_store_four_requests(
    local_worker: LocalWorker, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its description and the reading of that; its picture and its result."""
    asked: list[str] = []
    for name in ("put", "put_new", "put_file", "get", "get_file", "head", "list", "delete"):
        act = getattr(FarmStore, name)

        def counted(self: FarmStore, key: str, *args: Any, act: Any = act, **kwargs: Any) -> Any:
            if key.startswith("jobs/"):  # not the list of models, which is read now and then
                asked.append(f"{act.__name__} {key.rpartition('/')[2]}")
            return act(self, key, *args, **kwargs)

        monkeypatch.setattr(FarmStore, name, counted)
    run(local_worker, client, 1)
    assert [one for one in asked if one != "get result.json"] == [
        *("put job.json", "get job.json", "put_new 000000.png", "put result.json"),
    ]
