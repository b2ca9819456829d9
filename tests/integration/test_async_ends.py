"""How waits and calls of a client in an event loop end: canceled, closed, left, forked."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.event_loop import in_loop, until, waiters
from support.manual_worker import LANE, ManualWorker, apple

from winepress import AsyncClient, AsyncJobHandle, Client, InvalidJob, JobState, WrongUsage
from winepress_shared.settings import Settings

_PATIENCE_S = 60


async def first_events(handle: AsyncJobHandle, count: int) -> list[str]:
    """The names of so many events; the iteration is left in the middle."""
    names: list[str] = []
    async for event in handle.events():
        names.append(event.name)
        if len(names) == count:
            break
    return names


class Gate:
    """Lets a call of a thread through when it is told to."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self.is_reached, self._is_open = threading.Event(), threading.Event()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.is_reached.set()
        assert self._is_open.wait(_PATIENCE_S)
        return self._call(*args, **kwargs)

    def open(self) -> None:
        self._is_open.set()


def gate_before_writing(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Every submission stops there."""
    archive = client.client.archive
    gate = Gate(archive.write_job)
    monkeypatch.setattr(archive, "write_job", gate)
    return gate


async def is_canceled(task: asyncio.Task[Any]) -> bool:
    """Whether a task ends as canceled once it is."""
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


# -- tasks that are canceled -------------------------------------------------------------------


@in_loop
async def test_nobody_reads_for_a_task_that_was_canceled(farm_settings: Settings) -> None:
    """Whether it waits, iterates, or was stopped by a timeout of asyncio."""
    async with AsyncClient(farm_settings) as client:
        handle = await client.submit(apple())
        tasks = [
            asyncio.create_task(handle.wait()),
            asyncio.create_task(first_events(handle, 100)),
        ]
        await until(lambda: waiters(client) == len(tasks))
        assert [await is_canceled(task) for task in tasks] == [True, True]
        assert waiters(client) == 0
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(handle.wait(), 0.05)
        await until(lambda: waiters(client) == 0)
        assert (await handle.status()).state is JobState.QUEUED


@in_loop
async def test_an_iteration_goes_on_after_a_task_that_was_canceled(
    farm_settings: Settings, manual_worker: ManualWorker
) -> None:
    """Nothing is lost and nothing comes twice: a server may look up between two events."""
    async with AsyncClient(farm_settings) as client:
        handle = await client.submit(apple())
        await client.pause(handle.id)
        async with handle.events() as events:
            names = [(await anext(events)).name, (await anext(events)).name]
            for act in (client.resume, client.pause, client.resume):
                task = asyncio.ensure_future(anext(events))
                await until(lambda: waiters(client) == 1)
                assert await is_canceled(task)
                await act(handle.id)
                names.append((await anext(events)).name)
            await asyncio.to_thread(manual_worker.work, LANE)
            names += [event.name async for event in events]
        assert names == [event.name async for event in handle.events()]


@in_loop
async def test_an_iteration_that_is_left_or_closed_is_read_no_further(
    farm_settings: Settings,
) -> None:
    """A viewer goes away: also one that another task waits for, which ends without an error."""
    async with AsyncClient(farm_settings) as client:
        handle = await client.submit(apple())
        await client.pause(handle.id)
        assert await first_events(handle, 2) == ["queued", "paused"]
        assert waiters(client) == 0
        events = handle.events()
        task = asyncio.create_task(names_of(events))
        await until(lambda: waiters(client) == 1)
        await events.close()
        assert await task == ["queued", "paused"]
        assert waiters(client) == 0
        assert [event async for event in events] == []
        with pytest.raises(InvalidJob, match="after"):
            handle.events(after="x")


async def names_of(events: Any) -> list[str]:
    return [event.name async for event in events]


@in_loop
async def test_a_submission_that_was_canceled_is_taken_back(
    farm_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it was under way, and when it was just over; nobody would know of that job."""
    async with AsyncClient(farm_settings) as client:
        gate = gate_before_writing(client, monkeypatch)
        tasks = [
            asyncio.create_task(client.submit(apple())),
            asyncio.create_task(client.submit_many([apple(), apple()])),
        ]
        await until(gate.is_reached.is_set)
        assert [await is_canceled(task) for task in tasks] == [True, True]
        gate.open()
        late = asyncio.create_task(client.submit(apple()))
        await asyncio.sleep(0)  # it is handed to a thread
        concurrent.futures.wait(tuple(client.threads()._calls), _PATIENCE_S)
        assert await is_canceled(late)
    with Client(farm_settings) as after:
        assert [row.state for row in after.list()] == [JobState.CANCELED] * 4


@in_loop
async def test_a_submission_under_a_key_is_found_by_the_next_one(
    farm_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A canceled one with an idempotency key goes on, and is queued once."""
    async with AsyncClient(farm_settings) as client:
        gate = gate_before_writing(client, monkeypatch)
        task = asyncio.create_task(client.submit(apple(), idempotency_key="order-7"))
        await until(gate.is_reached.is_set)
        assert await is_canceled(task)
        gate.open()
        handle = await client.submit(apple(), idempotency_key="order-7")
        await until(lambda: not client.threads()._calls)
        assert [(row.id, row.state) for row in await client.list()] == [
            (handle.id, JobState.QUEUED)
        ]


# -- clients that are closed, and other loops --------------------------------------------------


@in_loop
async def test_closing_ends_every_wait_and_sees_calls_through(
    farm_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits is told why; the client works again when it is used again."""
    client = AsyncClient(farm_settings)
    handle = await client.submit(apple())
    waits = [asyncio.create_task(handle.wait()), asyncio.create_task(first_events(handle, 9))]
    await until(lambda: waiters(client) == len(waits))
    gate = gate_before_writing(client, monkeypatch)
    begun = [asyncio.create_task(client.submit(apple())) for _ in range(20)]  # more than threads
    await until(gate.is_reached.is_set)
    reader, closing = client.client.event_reader, asyncio.create_task(client.close())
    await asyncio.wait(waits)
    assert not closing.done()
    gate.open()
    await closing
    assert [type(task.exception()) for task in waits] == [WrongUsage] * 2
    found = await asyncio.gather(*begun, return_exceptions=True)
    assert {type(one) for one in found} == {AsyncJobHandle, WrongUsage}
    assert not reader._subscriptions
    assert len(await client.list()) == 1 + sum(isinstance(one, AsyncJobHandle) for one in found)
    await client.close()
    await client.close()
    await until(lambda: not any("winepress" in one.name for one in threading.enumerate()))


def test_a_client_is_used_by_one_loop_at_a_time(farm_settings: Settings) -> None:
    """Another one is told so; when the first has gone, or has closed it, it may."""
    client = AsyncClient(farm_settings)

    async def use() -> None:
        await client.list()

    async def use_beside() -> None:
        await client.list()
        with pytest.raises(WrongUsage, match="another event loop uses this client"):
            await asyncio.to_thread(asyncio.run, use())
        await client.close()
        await asyncio.to_thread(asyncio.run, use())

    for act in (use, use, use_beside, use, client.close):
        asyncio.run(act())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_client_made_before_a_fork_serves_both(
    farm_settings: Settings, manual_worker: ManualWorker
) -> None:
    """As in a server that loads its program first; pickled it is its settings."""
    client = AsyncClient(farm_settings)

    async def submit_and_wait(one: AsyncClient) -> None:
        handle = await one.submit(apple())
        wait = asyncio.create_task(handle.wait(_PATIENCE_S))
        await asyncio.to_thread(manual_worker.work, LANE)
        await wait

    asyncio.run(submit_and_wait(client))
    pid = os.fork()
    if not pid:
        is_well = False
        try:
            asyncio.run(submit_and_wait(client))
            is_well = True
        finally:
            os._exit(0 if is_well else 1)
    asyncio.run(submit_and_wait(client))
    assert os.waitpid(pid, 0)[1] == 0
    asyncio.run(client.close())
    copy = pickle.loads(pickle.dumps(client))
    asyncio.run(submit_and_wait(copy))
    asyncio.run(copy.close())
