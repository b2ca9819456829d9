"""What a snapshot of the farm says, against a real ledger."""

from __future__ import annotations

import pytest
import redis
from support.manual_worker import LANE, ManualWorker, apple

from winepress import Client
from winepress_shared.ledger.snapshot import FarmSnapshot, Snapshots
from winepress_shared.settings import Settings


def take(settings: Settings, workers: int = 10, jobs: int = 10) -> FarmSnapshot:
    with Snapshots(settings) as snapshots:
        return snapshots.take(workers, jobs)


def test_an_empty_farm_has_nothing_of_all(farm_settings: Settings) -> None:
    """Lua writes an empty list as an object."""
    farm = take(farm_settings)
    assert (farm.lanes, farm.pauses, farm.workers, farm.slices, farm.jobs) == ((), (), (), (), ())
    assert (farm.worker_count, farm.running, farm.queued) == (0, 0, 0)


def test_what_waits_and_what_is_drawn_is_counted_once(
    farm_settings: Settings, client: Client, manual_worker: ManualWorker
) -> None:
    """Ten pictures, three of them in hand, the second of these a quarter drawn."""
    job, later = client.submit_many([apple(n=10), apple(n=2)])
    manual_worker.live(LANE)
    slice_ = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 3)
    assert slice_ is not None
    manual_worker.ledger.start(slice_.fence, 1)
    manual_worker.ledger.progress(slice_.fence, 1, 1, 4)
    client.farm.pause(user="bob")
    farm = take(farm_settings)
    ((lane, in_hand),) = zip(farm.lanes, farm.slices, strict=True)
    assert (lane.lane, lane.workers, lane.parked) == (LANE, 1, "")
    assert (in_hand.worker, in_hand.job_id, in_hand.unit, in_hand.progress) == (
        "manual",
        job.id,
        1,
        0.25,
    )
    assert lane.ready + in_hand.units == 12
    assert (farm.running, farm.queued, farm.pauses) == (1, 1, ("user:bob",))
    assert [row.id for row in farm.jobs] == [job.id, later.id]
    assert farm.jobs[0] == job.status()
    assert farm.workers == tuple(client.workers())


def test_no_more_is_told_of_than_was_asked_for(
    farm_settings: Settings, client: Client, manual_worker: ManualWorker
) -> None:
    """A screen has only so many lines; how many there are is told all the same."""
    ids = [handle.id for handle in client.submit_many([apple() for _ in range(5)])]
    for name in "cab":
        manual_worker.ledger.beat(name, f"{name}/1", {"device": "CPU", "lanes": [LANE]})
    assert [worker.name for worker in client.workers()] == ["a", "b", "c"]
    farm = take(farm_settings, 2, 2)
    assert (len(farm.workers), farm.worker_count, farm.queued) == (2, 3, 5)
    assert [row.id for row in farm.jobs] == [*ids[:2], *ids[:2:-1]]
    assert take(farm_settings, 2, 0).jobs == ()


@pytest.mark.parametrize("value", ["nan", "inf", "x", "-1e999", "9" * 5000])
def test_what_makes_no_sense_hides_nothing_else(
    farm_settings: Settings, client: Client, manual_worker: ManualWorker, value: str
) -> None:
    """Whoever may write to the broker decides what lies there."""
    good, bad = client.submit_many([apple(), apple()])
    manual_worker.live(LANE)
    slice_ = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 1)
    assert slice_ is not None
    name = f"{farm_settings.farm}:"
    with redis.Redis.from_url(farm_settings.broker_url.get_secret_value()) as broker:
        fields = {"step": value, "steps": value, "at": value}
        broker.hset(f"{name}lease:{slice_.fence}", mapping=fields)
        broker.hset(f"{name}lanes", mapping={"other": value})
        broker.hset(f"{name}job:{bad.id}", "units", value)
        broker.zadd(f"{name}workers", {"odd": "inf"})
        broker.set(f"{name}worker:odd", value)
    farm = take(farm_settings)
    assert good.id in [row.id for row in farm.jobs]
    assert {lane.lane for lane in farm.lanes} == {LANE, "other"}
    assert [slice_.progress for slice_ in farm.slices] == [0.0]
    assert {worker.name for worker in farm.workers} == {"manual", "odd"}
