"""The broker drops connections, dies, forgets, or has no room."""

from __future__ import annotations

import threading
import time
from functools import partial

import psutil
import pytest
from faults.harness.farm import StruckFarm, await_true, outlasting
from faults.harness.verifier import verify

from winepress import JobState, QueueFull, TextToImage
from winepress_shared.errors import BrokerUnreachable

_SLOW = 40  #: steps of a picture that lasts through what is done meanwhile
_AWAY_S = 60.0  #: stands for ten minutes: nothing that waits asks how long it has waited
_DROPS, _RECONNECTS = 20, 10
_CLAIMS = 100  #: at least
_LITTLE_BYTES = 2**20


@pytest.mark.case(10)
@pytest.mark.lengthy
def test_dropped_subscriptions_have_nothing_drawn_twice(farm: StruckFarm) -> None:
    """Five times in the middle of pictures; Celery would hand a late ticket out again."""
    farm.start_workers(2)
    farm.submit(4, n=2, num_inference_steps=_SLOW)
    for number in range(1, 6):
        farm.await_begun(number)
        farm.broker.client_kill_filter(_type="pubsub")
    farm.await_ended()
    account = verify(farm)
    account.assert_kept()
    assert account.begun_again == 0


@pytest.mark.case(10)
@pytest.mark.lengthy
def test_subscriptions_dropped_while_slices_are_claimed(farm: StruckFarm) -> None:
    """Whenever a worker is heard again it names what it holds: also what it was just given."""
    farm.start_workers(2)
    farm.submit(_CLAIMS, n=2, num_inference_steps=1)

    def is_drawn_while_dropped() -> bool:
        farm.broker.client_kill_filter(_type="pubsub")
        return not farm.open_units()

    await_true(is_drawn_while_dropped)
    farm.await_ended()
    account = verify(farm)
    account.assert_kept()
    account.assert_begun_once()


@pytest.mark.case(11)
@pytest.mark.lengthy
def test_every_connection_dropped_twenty_times(farm: StruckFarm) -> None:
    """Workers take up work again within a minute, and no picture is drawn to its end twice."""
    farm.start_workers(2)
    farm.submit(20)
    for _ in range(_DROPS):
        outlasting(farm.drop_connections)
        time.sleep(0.2)
    farm.await_ended(60)
    farm.submit(2)
    farm.await_ended(60)
    account = verify(farm)
    account.assert_kept()
    assert account.drawn_again == 0


@pytest.mark.case(11)
def test_a_parent_that_reconnects_ten_times_does_not_grow(farm: StruckFarm) -> None:
    """What Celery keeps of each lost connection is small: no memory of ours, no open file."""
    (worker,) = farm.start_workers(1)
    assert worker.pid
    parent = psutil.Process(worker.pid)
    grown = []
    for _ in range(_RECONNECTS + 1):
        seen = _subscribers(farm)
        outlasting(farm.drop_connections)
        await_true(partial(_has_new_subscriber, farm, seen))
        grown.append((parent.memory_info().rss, parent.num_fds()))
    (first_bytes, first_files), (last_bytes, last_files) = grown[0], grown[-1]
    assert last_bytes - first_bytes < _RECONNECTS * _LITTLE_BYTES
    assert last_files - first_files < _RECONNECTS // 2
    farm.submit(1)
    farm.await_ended()
    verify(farm).assert_kept()


def _has_new_subscriber(farm: StruckFarm, seen: set[str]) -> bool:
    return bool(_subscribers(farm) - seen)


def _subscribers(farm: StruckFarm) -> set[str]:
    """Connections by which Celery takes tickets of this farm."""
    return {one["id"] for one in outlasting(farm.connections) if one["cmd"] in ("brpop", "blpop")}


@pytest.mark.case(12)
@pytest.mark.lengthy
def test_a_killed_broker_that_returns_after_three_seconds(farm: StruckFarm) -> None:
    """Pictures in hand are finished and counted; nothing is drawn again."""
    farm.start_workers(2)
    farm.submit(6, n=2, num_inference_steps=_SLOW)
    farm.await_begun(2)
    farm.servers.broker.kill()
    time.sleep(3)
    farm.servers.broker.start()
    farm.await_ended()
    account = verify(farm)
    account.assert_kept()
    assert account.begun_again == 0


@pytest.mark.case(13)
@pytest.mark.lengthy
def test_a_broker_that_is_away_for_long(farm: StruckFarm) -> None:
    """Submissions are refused meanwhile, and one that is repeated with its key is one job."""
    farm.start_workers(2)
    farm.submit(4, n=3, num_inference_steps=_SLOW)
    farm.await_begun(2)
    farm.servers.broker.kill()
    refused = TextToImage(prompt="refused", seed=1, width=64, height=64, num_inference_steps=2)
    with pytest.raises(BrokerUnreachable):
        farm.client.submit(refused, idempotency_key="one")
    time.sleep(_AWAY_S)
    farm.servers.broker.start()
    ids = {outlasting(lambda: farm.client.submit(refused, idempotency_key="one").id) for _ in "ab"}
    assert len(ids) == 1
    farm.await_ended()
    verify(farm).assert_kept()


@pytest.mark.case(15)
@pytest.mark.lengthy
def test_lost_tickets_are_issued_again(farm: StruckFarm) -> None:
    """Every list of Celery is deleted while all work is still waiting for a worker."""
    farm.submit(3)
    lost = list(farm.broker.scan_iter(farm.key("queue:*"), count=1000))
    assert lost
    farm.broker.delete(*lost)
    farm.start_workers(1)
    farm.await_ended()
    verify(farm).assert_kept()


@pytest.mark.case(16)
@pytest.mark.lengthy
def test_a_broker_without_memory_refuses_jobs_and_loses_none(farm: StruckFarm) -> None:
    """What is in hand is counted meanwhile, and all goes on when there is room again."""
    farm.start_workers(1)
    farm.submit(3, n=2, num_inference_steps=_SLOW)
    farm.await_begun()
    farm.broker.config_set("maxmemory", 1)
    try:
        with pytest.raises(QueueFull):
            farm.client.submit(TextToImage(prompt="one too many"))
        await_true(lambda: farm.open_units() < 6)
    finally:
        farm.broker.config_set("maxmemory", 0)
    farm.await_ended()
    account = verify(farm)
    account.assert_kept()
    evicted = farm.broker.info("stats")["evicted_keys"]
    assert evicted == 0


@pytest.mark.case(34)
@pytest.mark.lengthy
def test_a_cancel_outlives_the_broker_that_took_it(farm: StruckFarm) -> None:
    """It dies right after its answer, and the job stays canceled when it is back."""
    farm.start_workers(1)
    canceled, other = farm.submit(2, n=2, num_inference_steps=_SLOW)
    farm.await_begun()
    assert canceled.handle.cancel() is JobState.CANCELED
    farm.servers.broker.restart()
    farm.await_ended()
    assert outlasting(canceled.handle.status).state is JobState.CANCELED
    verify(farm, succeeded=[other]).assert_kept()


@pytest.mark.case(34)
@pytest.mark.lengthy
def test_a_cancel_during_an_outage_says_so_and_works_afterwards(farm: StruckFarm) -> None:
    """It is never taken for given: whoever canceled is told that it did not arrive."""
    farm.start_workers(1)
    canceled, other = farm.submit(2, n=2, num_inference_steps=_SLOW)
    farm.await_begun()
    farm.servers.broker.kill()
    with pytest.raises(BrokerUnreachable):
        canceled.handle.cancel()
    threading.Timer(1.0, farm.servers.broker.start).start()
    assert outlasting(canceled.handle.cancel) is JobState.CANCELED
    farm.await_ended()
    verify(farm, succeeded=[other]).assert_kept()
