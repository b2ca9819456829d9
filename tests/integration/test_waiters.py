"""Many who wait on one client: few connections, prompt answers, limits named as limits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr
from support.manual_worker import LANE, ManualWorker, apple
from support.servers import ValkeyServer
from support.worker_process import await_condition

from winepress import BrokerUnreachable, Client, InvalidJob, JobHandle
from winepress import event_reader as event_reader_module
from winepress_shared.ledger.event_log import BLOCK_MS
from winepress_shared.settings import Settings

_WAITERS = 500
_PATIENCE_S = 60
_FEW = 50  #: connections


def in_threads(act: Callable[[int], object], count: int) -> Sequence[threading.Thread]:
    threads = [threading.Thread(target=act, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


def join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.join(_PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads)


def readers() -> int:
    """Threads of this process that read events."""
    return sum(thread.name == "events" for thread in threading.enumerate())


def waits(handle: JobHandle) -> bool:
    """Whether somebody is registered for a job."""
    reader = handle._connections.event_reader
    with reader._lock:
        return any(one.job_id == handle.id for one in reader._subscriptions)


def test_five_hundred_threads_wait_with_one_reader_and_few_connections(
    client: Client, manual_worker: ManualWorker, valkey_server: ValkeyServer
) -> None:
    """Of ten jobs, all at once; each of them ends when its job has ended."""
    handles = [client.submit(apple()) for _ in range(10)]
    with redis.Redis.from_url(valkey_server.url) as admin:

        def connections() -> int:
            return int(admin.info("clients")["connected_clients"])

        before = connections()
        done: list[float] = []

        def wait(number: int) -> None:
            done.append(handles[number % len(handles)].wait(_PATIENCE_S).progress)

        threads = in_threads(wait, _WAITERS)
        await_condition(lambda: len(client.event_reader._subscriptions) == _WAITERS)
        await_condition(lambda: readers() == 1)  # that of an earlier client may take a moment
        assert connections() - before <= _FEW
        manual_worker.work(LANE)
        join(threads)
    assert done == [1.0] * _WAITERS


def test_the_reader_ends_when_nobody_waits(client: Client, manual_worker: ManualWorker) -> None:
    """Also for iterators that were dropped in the middle, and it starts again for the next."""
    handle = client.submit(apple())
    client.pause(handle.id)
    events = handle.events()
    assert [next(events).name, next(events).name] == ["queued", "paused"]
    client.resume(handle.id)
    assert [next(events).name, waits(handle)] == ["resumed", True]
    del events
    assert not waits(handle)
    await_condition(lambda: readers() == 0)
    threads = in_threads(lambda _: handle.wait(_PATIENCE_S), 1)
    await_condition(lambda: waits(handle))
    manual_worker.work(LANE)
    join(threads)


def test_who_comes_later_is_not_told_later(client: Client, manual_worker: ManualWorker) -> None:
    """The reader is called back from a read that began without the newcomer."""
    first, second = client.submit(apple()), client.submit(apple())
    threads = in_threads(lambda _: list(first.events()), 1)
    await_condition(lambda: waits(first))
    heard = threading.Event()

    def listen(_: int) -> None:
        with second.events() as events:
            if any(event.name == "paused" for event in events):
                heard.set()

    threads = [*threads, *in_threads(listen, 1)]
    await_condition(lambda: waits(second))
    client.pause(second.id)
    assert heard.wait(0.8 * BLOCK_MS / 1000)
    first.cancel()
    join(threads)


def test_more_jobs_than_fit_into_one_command_are_read_in_turn(
    client: Client, manual_worker: ManualWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is forgotten."""
    monkeypatch.setattr(event_reader_module, "_MOST_JOBS", 3)
    handles = [client.submit(apple()) for _ in range(10)]
    threads = in_threads(lambda number: handles[number].wait(_PATIENCE_S), len(handles))
    await_condition(lambda: len(client.event_reader._subscriptions) == len(handles))
    manual_worker.work(LANE)
    join(threads)


def test_who_takes_nothing_is_read_no_further_and_loses_nothing(
    client: Client, manual_worker: ManualWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a slow reader has not taken does not fill the memory."""
    monkeypatch.setattr(event_reader_module, "_MOST_ARRIVALS", 2)
    handle = client.submit(apple())
    names: list[str] = []
    client.pause(handle.id)
    with handle.events() as events:
        names += [next(events).name, next(events).name]
        for _ in range(5):
            client.resume(handle.id)
            client.pause(handle.id)
        client.resume(handle.id)
        manual_worker.work(LANE)
        names += [event.name for event in events]
    assert names[:2] == ["queued", "paused"]
    assert names[2:13] == ["resumed", "paused"] * 5 + ["resumed"]
    assert names[-1] == "succeeded"


def test_waiting_outlives_a_restart_of_the_broker(tmp_path: Path) -> None:
    """All who wait ride it out together."""
    with ValkeyServer(tmp_path) as server:
        settings = Settings(broker_url=SecretStr(server.url), store_folder=tmp_path / "store")
        with Client(settings) as client:
            handle = client.submit(apple())
            threads = in_threads(lambda _: handle.wait(_PATIENCE_S), 20)
            await_condition(lambda: len(client.event_reader._subscriptions) == len(threads))
            with redis.Redis.from_url(server.url) as admin:
                admin.config_set("appendfsync", "always")
                admin.set("written", 1)
            server.restart()
            ManualWorker(settings).work(LANE)
            join(threads)


def test_a_broker_that_stays_away_is_told_to_all_who_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an outage, once the patience is over."""
    monkeypatch.setattr("winepress_shared.outage.PAUSES_S", (0.1,))
    told: list[str] = []
    with ValkeyServer(tmp_path) as server:
        settings = Settings(broker_url=SecretStr(server.url), store_folder=tmp_path / "store")
        with Client(settings) as client:
            handle = client.submit(apple())

            def wait(_: int) -> None:
                try:
                    handle.wait()
                except BrokerUnreachable as error:
                    told.append(str(error))

            threads = in_threads(wait, 5)
            await_condition(lambda: len(client.event_reader._subscriptions) == len(threads))
            server.kill()
            join(threads)
    assert ["does not answer" in text for text in told] == [True] * len(threads)


def test_an_outage_is_told_to_nobody_when_nobody_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that has its pictures stops its farm: that is no news."""
    with ValkeyServer(tmp_path) as server:
        settings = Settings(broker_url=SecretStr(server.url), store_folder=tmp_path / "store")
        with Client(settings) as client:
            handle = client.submit(apple())
            threads = in_threads(lambda _: handle.wait(_PATIENCE_S), 1)
            await_condition(lambda: waits(handle))
            ManualWorker(settings).work(LANE)
            join(threads)
    await_condition(lambda: readers() == 0)
    assert [one for one in caplog.records if one.name.startswith("winepress.")] == []


# -- limits ----------------------------------------------------------------------------------


def test_a_pool_that_is_exhausted_is_no_outage(tmp_path: Path, valkey_server: ValkeyServer) -> None:
    """The message names the limit and the option that raises it."""
    url = f"{valkey_server.url}?max_connections=1&socket_timeout=6"
    settings = Settings(broker_url=SecretStr(url), store_folder=tmp_path)
    with Client(settings) as client:
        pool = client.ledger._server.client.connection_pool
        pool.timeout = 0.1  # type: ignore[attr-defined]
        held = pool.get_connection()
        with pytest.raises(BrokerUnreachable, match=r"all 1 connections .*max_connections") as told:
            client.list()
        assert "farm running" not in str(told.value)
        pool.release(held)
        client.list()


def test_a_broker_that_allows_no_more_connections_is_no_outage(tmp_path: Path) -> None:
    """It says so before it hangs up."""
    with ValkeyServer(tmp_path) as server:
        settings = Settings(broker_url=SecretStr(server.url), store_folder=tmp_path / "store")
        with redis.Redis.from_url(server.url) as admin, Client(settings) as client:
            admin.config_set("maxclients", 1)
            with pytest.raises(BrokerUnreachable, match=r"no more connections.*maxclients"):
                client.list()


def test_options_of_the_url_hold_for_every_door(
    farm_settings: Settings, valkey_server: ValkeyServer
) -> None:
    """Submitting, which sends a ticket through Celery, and waiting: with a pool of one."""
    options = "max_connections=1&socket_timeout=7&socket_keepalive=yes&protocol=2&db=0"
    settings = farm_settings.model_copy(
        update={"broker_url": SecretStr(f"{valkey_server.url}?{options}")}
    )
    manual_worker = ManualWorker(farm_settings)
    with Client(settings) as client:
        handles = [client.submit(apple()) for _ in range(3)]
        manual_worker.await_ticket(LANE)
        threads = in_threads(lambda number: handles[number].wait(_PATIENCE_S), len(handles))
        manual_worker.work(LANE)
        join(threads)


# -- events ----------------------------------------------------------------------------------


@pytest.fixture
def drawn(client: Client, manual_worker: ManualWorker) -> JobHandle:
    """A job that is over."""
    handle = client.submit(apple())
    manual_worker.work(LANE)
    return handle


def test_events_go_on_behind_one_that_was_seen(drawn: JobHandle) -> None:
    """What the job is now comes first, at the same place; then all that was missed, once."""
    events = list(drawn.events())
    for seen, event in enumerate(events):
        state, *rest = drawn.events(after=event.id)
        assert (state.name, state.id, state.fields["state"]) == ("state", event.id, "succeeded")
        assert rest == events[seen + 1 :]
    state, *rest = drawn.events(after="0")
    assert (state.fields["done"], state.fields["units"]) == ("1", "1")
    assert rest == events


def test_a_job_that_waits_tells_its_state_at_once(client: Client) -> None:
    """Whoever comes back to a job need not wait for something to happen."""
    handle = client.submit(apple(n=3))
    with handle.events(after="0") as events:
        state = next(events)
    assert (state.fields["state"], state.fields["units"]) == ("queued", "3")


@pytest.mark.parametrize("wrong", ["", "x", "1-", "-1", "1-2-3", "9" * 20, "٣", 7, "$"])
def test_what_is_no_id_of_an_event_is_refused_at_once(client: Client, wrong: str) -> None:
    """Before the iterator is used."""
    with pytest.raises(InvalidJob, match="after: not an event id"):
        JobHandle(client, "j1").events(after=wrong)


def test_events_can_be_closed_from_another_thread_while_nothing_happens(client: Client) -> None:
    """A viewer goes away: the thread that waits for it ends, at once and without an error."""
    handle = client.submit(apple())
    client.pause(handle.id)
    events = handle.events()
    names: list[str] = []
    threads = in_threads(lambda _: names.extend(event.name for event in events), 1)
    await_condition(lambda: waits(handle))
    events.close()
    threads[0].join(0.8 * BLOCK_MS / 1000)  # the reader has not looked up in between
    assert not threads[0].is_alive()
    assert names == ["queued", "paused"]
    events.close()
    assert list(events) == []
