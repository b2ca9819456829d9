"""Steps are reported where somebody watches, from then on, and nowhere else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from support.audited_farm import LANE as AUDITED_LANE
from support.audited_farm import AuditedFarm
from support.local_worker import LocalWorker
from support.manual_worker import LANE, apple
from support.worker_process import await_condition

from winepress import AsyncClient, Client, JobHandle
from winepress_shared.ledger.events import Event
from winepress_shared.ledger.snapshot import Snapshots
from winepress_shared.ledger.watchers import Watchers
from winepress_shared.settings import Settings
from winepress_shared.state import JobState

_STEPS = 20
_MANY = 3 * _STEPS  #: for who comes late


@pytest.fixture
def local_worker(farm_settings: Settings) -> LocalWorker:
    """Draws twenty steps a second, and hears what it is told."""
    one = LocalWorker(farm_settings, engine="fake:step_s=0.05")
    channel = f"{farm_settings.farm}:directives:{one.renderer._lease_client.holder}"
    with redis.Redis.from_url(farm_settings.broker_url.get_secret_value()) as broker:
        listeners: Any = broker.pubsub_numsub
        await_condition(lambda: listeners(channel)[0][1] == 1)
    return one


@contextmanager
def _drawing(local_worker: LocalWorker) -> Iterator[None]:
    thread = threading.Thread(target=local_worker.renderer.run, args=(LANE,))
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _submit(client: Client, steps: int = _STEPS) -> JobHandle:
    return client.submit(apple(num_inference_steps=steps, width=64, height=64))


def _steps(events: list[Event]) -> list[int]:
    return [int(event.fields["step"]) for event in events if event.name == "progress"]


def test_nobody_is_told_of_steps_that_nobody_watches(
    client: Client, local_worker: LocalWorker
) -> None:
    """Whoever waits for the end, or reads events without steps, still sees the job go on.

    So does a client of an earlier version, which asks for nothing.
    """
    handle = _submit(client)
    with _drawing(local_worker):
        handle.wait(60)
        told = [event.name for event in handle.events(60, steps=False)]
    told.remove("note")  # its model is loaded
    assert told == ["queued", "running", "unit-started", "unit-done", "succeeded"]


def test_a_job_that_is_watched_tells_its_first_step_and_its_last(
    client: Client, local_worker: LocalWorker
) -> None:
    """Its watcher was there before its worker."""
    handle = _submit(client)
    client.watchers.watch([handle.id])
    with _drawing(local_worker):
        steps = _steps(list(handle.events(60)))
    assert (steps[0], steps[-1]) == (1, _STEPS)
    assert len(steps) > 2


def test_a_job_that_somebody_begins_to_watch_tells_its_next_steps(
    client: Client, local_worker: LocalWorker
) -> None:
    """Its worker is called; it would not have reported within the time of this picture."""
    handle = _submit(client, _MANY)
    with _drawing(local_worker):
        await_condition(lambda: "unit-started" in [e.name for e in client.ledger.events(handle.id)])
        events = list(handle.events(60))
    names = [event.name for event in events]
    assert names.index("progress") < names.index("unit-done")


def test_a_watcher_in_an_event_loop_is_one_too(
    client: Client, farm_settings: Settings, local_worker: LocalWorker
) -> None:
    """So are those of the gateway, which is built on it."""

    async def watch(job_id: str) -> list[Event]:
        async with AsyncClient(farm_settings) as one:
            return [event async for event in (await one.get(job_id)).events(60)]

    handle = _submit(client, _MANY)
    with _drawing(local_worker):
        events = asyncio.run(watch(handle.id))
    assert _steps(events)


def test_whoever_looks_at_the_farm_sees_the_steps_of_what_is_drawn(
    client: Client, farm_settings: Settings, local_worker: LocalWorker
) -> None:
    """`winepress top` looks again and again."""
    handle = _submit(client, _MANY)
    local_worker.renderer._lease_client._ledger.beat("one", "one/0", {"device": "CPU"})
    with _drawing(local_worker), Snapshots(farm_settings) as snapshots:
        await_condition(lambda: client.ledger.get(handle.id).state is JobState.RUNNING)
        snapshots.watch(snapshots.take(10, 10))
    assert _steps(client.ledger.events(handle.id))


def test_a_mark_calls_a_worker_once_and_ends_by_itself(farm: AuditedFarm) -> None:
    """It is renewed as long as somebody watches; a watcher that was killed ends nothing."""
    farm.submit("job", 4)
    slice_ = farm.claim()
    assert not slice_.watched
    channel = farm.ledger.directives("w1/1")
    for watchers in (Watchers(farm.ledger._server), Watchers(farm.ledger._server)):
        watchers.watch(["job"])
        watchers.watch(["job"])
    farm.ledger.tell("w1/1", "end")
    heard: list[str] = []
    while "end" not in heard:
        message = channel.get_message(timeout=1)
        heard += [message["data"]] if message else []
    channel.close()
    assert heard == [str(slice_.fence), "end"]
    assert 0 < farm.redis.pttl(farm.key("watched", "job")) <= 15_000
    assert farm.claim().watched
    (reply,) = farm.ledger.progress_together([(slice_.fence, slice_.units[0])], 1, 2)
    assert reply.is_watched
    farm.redis.delete(farm.key("watched", "job"))
    (reply,) = farm.ledger.progress_together([(slice_.fence, slice_.units[0])], 2, 2)
    assert not reply.is_watched


def test_a_webhook_that_is_told_of_steps_watches_them(farm: AuditedFarm) -> None:
    """From the claim to the end; one that is told of pictures does not."""
    farm.submit("told", hooks=("logs", "completed"))
    farm.submit("other", hooks=("output", "completed"))
    slices = [farm.ledger.claim(AUDITED_LANE, "w1", "w1/1", 1) for _ in range(2)]
    assert {one.job_id: one.watched for one in slices if one} == {"told": True, "other": False}


def test_a_step_that_was_done_long_ago_is_no_sign_of_life(farm: AuditedFarm) -> None:
    """Else a renderer that stands still would be kept alive by its own reports."""
    farm.submit("job")
    slice_ = farm.claim()
    farm.ledger.start(slice_.fence, 0)
    for age_s in (60.0, 68.0):
        farm.ledger.progress_together([(slice_.fence, 0)], 3, 20, age_s)
        (lease,) = farm.ledger.beat("w1", "w1/1", {}).leases
        assert lease.steps == 20
        assert age_s * 1000 <= lease.idle_ms < (age_s + 60) * 1000
    names = [event.name for event in farm.ledger.events("job")]
    assert names.count("progress") == 1, "a step that is known is no event"
