"""The primary of a group of brokers dies, and its Sentinels have another one elected."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from faults.harness.farm import Servers, StruckFarm, outlasting
from faults.harness.verifier import verify
from support.sentinel_group import WatchedServers

from winepress.recovery import Recovery


@pytest.fixture
def group(tmp_path: Path) -> Iterator[WatchedServers]:
    """One primary, one replica, three Sentinels."""
    with WatchedServers(tmp_path / "group") as servers:
        yield servers


@pytest.fixture
def farms(servers: Servers, group: WatchedServers, tmp_path: Path) -> Iterator[Any]:
    """Opens a farm whose broker is that group."""
    with ExitStack() as opened:

        def open_farm(durability: str) -> StruckFarm:
            in_reach = Servers(group.primary, servers.store)
            farm = StruckFarm(in_reach, tmp_path / "farm", {"step_s": 0.03})
            settings = {"broker_url": group.url, "durability": durability}
            farm.settings = farm.settings.model_copy(update=settings)
            return opened.enter_context(farm)

        yield open_farm


@pytest.mark.case(52)
@pytest.mark.lengthy
def test_what_a_replica_confirmed_outlives_the_primary(group: WatchedServers, farms: Any) -> None:
    """Workers, producer, tickets and orders find the elected one; nothing has to be recovered."""
    farm = farms("replica")
    farm.start_workers(2, variables={"WINEPRESS_DURABILITY": "replica"})
    farm.submit(8)
    farm.await_drawn(4)
    group.primary.kill()
    group.await_elected()
    go_on(farm, group)
    farm.await_ended()
    verify(farm).assert_kept()


@pytest.mark.case(52)
@pytest.mark.lengthy
def test_a_failover_without_confirmation_is_recovered(group: WatchedServers, farms: Any) -> None:
    """What was accepted and not replicated yet is in the store; the former primary comes back."""
    farm = farms("second")
    farm.start_workers(2)
    submitting = threading.Thread(target=lambda: farm.submit(12))
    submitting.start()
    farm.await_drawn(4)
    group.primary.kill()
    group.await_elected()
    submitting.join()
    go_on(farm, group)
    group.primary.start()
    outlasting(lambda: list(Recovery(farm.client).run()))
    farm.submit(2)
    farm.await_ended()
    verify(farm).assert_kept()


def go_on(farm: StruckFarm, group: WatchedServers) -> None:
    """Look at the books of the farm in the server that was elected."""
    farm.broker.close()
    farm.broker = redis.Redis.from_url(group.replica.url)
