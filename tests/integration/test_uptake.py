"""Work that nobody takes up, though workers are there for it."""

from __future__ import annotations

import pytest
import redis
from support.manual_worker import LANE, ManualWorker, apple

from winepress import Client
from winepress.farm_checks import check_uptake
from winepress_shared.errors import FarmUnreachable
from winepress_shared.settings import Settings


def _let_wait(settings: Settings, seconds: int) -> None:
    """Let the work of the lane have waited for so long."""
    with redis.Redis.from_url(settings.broker_url.get_secret_value()) as broker:
        now, _ = broker.time()
        key = f"{settings.farm}:priority_served:{LANE}"
        broker.hset(key, mapping=dict.fromkeys(broker.hkeys(key), (now - seconds) * 1000))
        broker.hdel(f"{settings.farm}:lane_served", LANE)


def test_work_beside_an_idle_worker_is_told_of(
    client: Client, manual_worker: ManualWorker, farm_settings: Settings
) -> None:
    """It beats and seems well: only that it takes nothing tells."""
    manual_worker.live(LANE)
    client.submit_many([apple(), apple()])
    assert check_uptake(client).text == "what waits is taken up"
    _let_wait(farm_settings, 3600)
    with pytest.raises(FarmUnreachable, match=rf"lane {LANE} was .* for 1:00:0.*: manual"):
        check_uptake(client)
    assert manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 1)
    _let_wait(farm_settings, 3600)
    assert check_uptake(client), "who is busy need not take more"


def test_work_that_no_worker_serves_is_not_its_matter(
    client: Client, manual_worker: ManualWorker, farm_settings: Settings
) -> None:
    """That is told of the lane."""
    manual_worker.live("other.fp16")
    client.submit(apple())
    _let_wait(farm_settings, 3600)
    assert check_uptake(client).text == "what waits is taken up"
