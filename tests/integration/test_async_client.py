"""A client in an event loop: it does what Client does, and never holds the loop up."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr
from support.event_loop import in_loop, until, waiters
from support.manual_worker import LANE, ManualWorker, apple
from support.servers import ValkeyServer

from winepress import (
    AsyncClient,
    BrokerUnreachable,
    JobCanceled,
    JobFailed,
    JobState,
    NotFound,
    WrongUsage,
)
from winepress_shared.settings import Settings

_WAITERS = 200
_PATIENCE_S = 60
_CALLS = 16  #: threads of one client
_FEW = 50  #: connections
_TICKS = 50  #: of a loop that nothing holds up


def threads_of_clients() -> int:
    """Threads of this process that a client started."""
    return sum(
        thread.name.startswith(("winepress-loop", "submit", "accept", "fetch"))
        for thread in threading.enumerate()
    )


@pytest.fixture
def sluggish(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A broker of its own, that a test may stop."""
    with ValkeyServer(tmp_path) as server:
        yield server


def settings_of(server: ValkeyServer, folder: Path) -> Settings:
    return Settings(broker_url=SecretStr(server.url), store_folder=folder / "store")


# -- the loop goes on --------------------------------------------------------------------------


@in_loop
async def test_two_hundred_jobs_are_waited_for_with_few_threads_and_connections(
    farm_settings: Settings, manual_worker: ManualWorker, valkey_server: ValkeyServer
) -> None:
    """Meanwhile the loop turns about as often as a thread does that nothing holds up."""
    with redis.Redis.from_url(valkey_server.url) as admin:

        def connections() -> int:
            return int(admin.info("clients")["connected_clients"])

        before = connections()
        async with AsyncClient(farm_settings) as client:
            handles = await client.submit_many([apple() for _ in range(_WAITERS)])
            waits = [asyncio.create_task(handle.wait(_PATIENCE_S)) for handle in handles]
            await until(lambda: waiters(client) == _WAITERS)
            await until(lambda: threads_of_clients() <= _CALLS)
            assert connections() - before <= _FEW
            turns, control = await turns_while(asyncio.to_thread(manual_worker.work, LANE))
            assert [one.id for one in await asyncio.gather(*waits)] == [one.id for one in handles]
            assert turns >= control / 4, (turns, control)
            await until(lambda: waiters(client) == 0)
    await until(lambda: threads_of_clients() == 0)


async def turns_while(work: Awaitable[None]) -> tuple[int, int]:
    """How often a task and how often a thread came round while ``work`` was done."""
    over, counts = threading.Event(), [0, 0]

    def count() -> None:
        while not over.wait(0.005):
            counts[1] += 1

    async def turn() -> None:
        while not over.is_set():
            await asyncio.sleep(0.005)
            counts[0] += 1

    thread, task = threading.Thread(target=count), asyncio.create_task(turn())
    thread.start()
    try:
        await work
    finally:
        over.set()
        await task
        thread.join()
    return counts[0], counts[1]


@in_loop
async def test_a_broker_that_stands_still_holds_no_loop_up(
    sluggish: ValkeyServer, tmp_path: Path
) -> None:
    """Whatever is called meanwhile; each of them is answered when the broker goes on."""
    process = sluggish._process
    assert process
    async with AsyncClient(settings_of(sluggish, tmp_path)) as client:
        handle, paused = await client.submit_many([apple(), apple()])
        await client.pause(paused.id)
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: client.submit(apple()),
            lambda: client.submit_many([apple()]),
            lambda: client.get(handle.id),
            lambda: client.pause(handle.id),
            lambda: client.resume(paused.id),
            lambda: client.front(handle.id),
            lambda: client.explain(handle.id),
            lambda: client.estimate(handle.id),
            client.list,
            client.workers,
            handle.status,
            handle.result,
            handle.preview,
            handle.urls,
            lambda: anext(handle.events()),
            lambda: anext(handle.events(after="0")),
        ]
        assert len(calls) <= _CALLS
        process.send_signal(signal.SIGSTOP)
        try:
            tasks = [asyncio.ensure_future(call()) for call in calls]
            for _ in range(_TICKS):
                await asyncio.sleep(0.001)
            assert not any(task.done() for task in tasks)
        finally:
            process.send_signal(signal.SIGCONT)
        await asyncio.gather(*tasks)


@in_loop
async def test_the_store_and_pictures_are_worked_on_beside_the_loop(
    farm_settings: Settings,
    manual_worker: ManualWorker,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Writing jobs and reading, checking and decoding pictures."""
    async with AsyncClient(farm_settings) as client:
        archive, callers = client.client.archive, set()

        def noted(name: str) -> None:
            real = getattr(archive.store, name)

            def call(*args: Any, **kwargs: Any) -> Any:
                callers.add(threading.current_thread())
                return real(*args, **kwargs)

            monkeypatch.setattr(archive.store, name, call, raising=True)

        for name in ("put", "get", "head", "url"):
            noted(name)
        handle = await client.submit(apple(n=2))
        await asyncio.to_thread(manual_worker.work, LANE)
        await handle.wait(_PATIENCE_S)
        assert [image.size for image in await handle.images()] == [(64, 64)] * 2
        assert [output.unit async for output, _ in handle.files()] == [0, 1]
        assert len(await handle.save(tmp_path / "out")) == len(await handle.urls()) == 2
        assert threading.main_thread() not in callers
        assert callers
        assert await client.in_thread(threading.current_thread) is not threading.main_thread()


# -- as Client does ----------------------------------------------------------------------------


@in_loop
async def test_a_wait_ends_as_that_of_a_client(
    farm_settings: Settings, manual_worker: ManualWorker
) -> None:
    """Well, with the same errors, and with the same words when the time is over."""
    async with AsyncClient(farm_settings) as client:
        failed, canceled, open_one = await client.submit_many([apple(), apple(), apple()])
        with pytest.raises(TimeoutError) as told:
            await open_one.wait(0.01)
        with pytest.raises(TimeoutError) as expected:
            client.client.get(open_one.id).wait(0.01)
        assert str(told.value) == str(expected.value)
        await canceled.cancel()
        await client.pause(open_one.id)
        await asyncio.to_thread(manual_worker.work, LANE, failing=[0])
        with pytest.raises(JobCanceled):
            await canceled.wait(_PATIENCE_S)
        with pytest.raises(JobFailed):
            await failed.wait(0)  # over already: there is nothing to wait for
        with pytest.raises(NotFound):
            await client.get("nowhere")
        with pytest.raises(WrongUsage, match="timeout"):
            open_one.events(-1)
        await client.retry(failed.id)
        await asyncio.to_thread(manual_worker.work, LANE)
        assert await (await failed.wait(_PATIENCE_S)).progress() == 1.0
        states = {row.id: row.state for row in await client.list()}
        assert states[open_one.id] is JobState.QUEUED


@in_loop
async def test_events_go_on_behind_one_that_was_seen(
    farm_settings: Settings, manual_worker: ManualWorker
) -> None:
    """As those of `JobHandle` do, from any of them on."""
    async with AsyncClient(farm_settings) as client:
        handle = await client.submit(apple())
        await asyncio.to_thread(manual_worker.work, LANE)
        blocking = client.client.get(handle.id)
        events = [event async for event in handle.events()]
        assert events == list(blocking.events())
        for seen, event in enumerate(events):
            state, *rest = [event async for event in handle.events(after=event.id)]
            assert (state.name, state.id, state.fields["state"]) == ("state", event.id, "succeeded")
            assert rest == events[seen + 1 :]


@in_loop
async def test_waiting_outlives_a_restart_of_the_broker(
    sluggish: ValkeyServer, tmp_path: Path
) -> None:
    """All who wait ride it out together, and the loop goes on."""
    settings = settings_of(sluggish, tmp_path)
    async with AsyncClient(settings) as client:
        handles = await client.submit_many([apple() for _ in range(20)])
        waits = [asyncio.create_task(handle.wait(_PATIENCE_S)) for handle in handles]
        await until(lambda: waiters(client) == len(waits))
        with redis.Redis.from_url(sluggish.url) as admin:
            admin.config_set("appendfsync", "always")
            admin.set("written", 1)
        sluggish.kill()
        await asyncio.sleep(0)
        await asyncio.to_thread(sluggish.start)
        await asyncio.to_thread(ManualWorker(settings).work, LANE)
        await asyncio.gather(*waits)


@in_loop
async def test_a_broker_that_stays_away_is_told_to_all_who_wait(
    sluggish: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an outage, once the patience is over."""
    monkeypatch.setattr("winepress_shared.outage.PAUSES_S", (0.1,))
    async with AsyncClient(settings_of(sluggish, tmp_path)) as client:
        handle = await client.submit(apple())
        waits = [asyncio.create_task(handle.wait()) for _ in range(5)]
        await until(lambda: waiters(client) == len(waits))
        sluggish.kill()
        found = await asyncio.gather(*waits, return_exceptions=True)
        assert [type(one) for one in found] == [BrokerUnreachable] * len(waits)
