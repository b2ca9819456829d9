"""Much work, many clients, noise beside the farm, and a broker with few connections left."""

from __future__ import annotations

import time

import pytest
from faults.harness.farm import StruckFarm, await_true, outlasting
from faults.harness.verifier import verify

from winepress import Priority, TextToImage
from winepress_shared.errors import BrokerUnreachable

_WINDOW = 12  #: pictures that may go before one of a higher priority: what is in hand or on its way
_MANY = 10_000
_NOISE = (b"", b"not json", b'{"type": "task-succeeded"}', b"[" * 10_000, b"\xff" * 100)


@pytest.mark.case(40)
@pytest.mark.lengthy
def test_one_urgent_picture_goes_before_ten_thousand_others(farm: StruckFarm) -> None:
    """It waits for what is in hand, and for nothing else."""
    farm.start_workers(2)
    bulk = TextToImage(prompt="bulk", seed=1, n=_MANY, width=64, height=64, priority=Priority.BULK)
    low = farm.client.submit(bulk)
    farm.await_drawn()
    before = farm.witness.begun().total()
    (urgent,) = farm.submit(1, n=1, priority=Priority.INTERACTIVE)
    farm.await_ended()
    lines = [line for line in farm.witness.lines() if not line.is_end]
    place = next(n for n, line in enumerate(lines) if line.picture[0] == urgent.job.prompt)
    assert place - before <= _WINDOW
    low.cancel()


@pytest.mark.case(45)
@pytest.mark.lengthy
def test_a_broker_with_too_few_connections_says_so_and_recovers(farm: StruckFarm) -> None:
    """New connections are refused for a while, also those of workers that have lost theirs."""
    farm.start_workers(2)
    farm.submit(10)
    farm.await_drawn(2)
    most = farm.broker.config_get("maxclients")["maxclients"]
    farm.broker.config_set("maxclients", 2)
    try:
        farm.drop_connections()
        with pytest.raises(BrokerUnreachable, match="connections"):
            farm.client.submit(TextToImage(prompt="no place"))
        time.sleep(5)
    finally:
        outlasting(lambda: farm.broker.config_set("maxclients", most))
    farm.await_ended()
    verify(farm).assert_kept()


@pytest.mark.case(46)
@pytest.mark.lengthy
def test_garbage_on_the_channel_of_events_changes_nothing(farm: StruckFarm) -> None:
    """Flower and whoever else listens or speaks there is no part of how jobs are drawn."""
    farm.start_workers(1)
    farm.submit(6)
    while farm.open_units():
        for noise in _NOISE:
            for channel in ("celeryev", "celery.pidbox", "/0.celery.pidbox"):
                farm.broker.publish(farm.key("queue", channel), noise)
        time.sleep(0.05)
    farm.await_ended()
    farm.submit(1)
    await_true(lambda: not farm.open_units())
    verify(farm).assert_kept()
