"""A broker whose memory is full: what is queued is worked on, and nothing more is taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr
from support.manual_worker import apple
from support.servers import ValkeyServer
from support.worker_process import PATIENCE_S, WorkerProcess

from winepress import Client, QueueFull
from winepress.farm_checks import check_memory
from winepress_shared.errors import FarmUnreachable
from winepress_shared.settings import Settings


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Valkey that no other test uses."""
    folder = tmp_path / "valkey"
    folder.mkdir()
    with ValkeyServer(folder) as server:
        yield server


@pytest.fixture
def settings(broker: ValkeyServer, tmp_path: Path) -> Settings:
    """A farm on that server."""
    url = SecretStr(broker.url)
    return Settings(broker_url=url, store_folder=tmp_path / "store", home=tmp_path / "home")


@pytest.mark.case(16)
def test_a_farm_without_memory_works_off_what_it_has(
    broker: ValkeyServer, settings: Settings, tmp_path: Path
) -> None:
    """Also with a worker that is started then, and though every ticket was lost."""
    with Client(settings) as client, redis.Redis.from_url(broker.url) as server:
        handles = client.submit_many([apple(n=3), apple(n=3)])
        for queue in server.scan_iter(f"{settings.farm}:queue:*"):
            server.delete(queue)
        server.config_set("maxmemory", 1)
        with pytest.raises(QueueFull, match="memory is full"):
            client.submit(apple())
        with pytest.raises(FarmUnreachable, match="what is queued is worked on"):
            check_memory(client)
        with WorkerProcess(settings, tmp_path, "w", "fake:step_s=0"):
            for handle in handles:
                handle.wait(timeout=PATIENCE_S)
            server.config_set("maxmemory", 0)
            client.submit(apple()).wait(timeout=PATIENCE_S)
    assert "Traceback" not in (tmp_path / "w.log").read_text("utf-8")


def test_a_broker_that_would_drop_jobs_is_told_of(broker: ValkeyServer, settings: Settings) -> None:
    """Celery's own advice, allkeys-lru, may evict the record of a job."""
    with Client(settings) as client, redis.Redis.from_url(broker.url) as server:
        assert "without a limit" in check_memory(client).text
        server.config_set("maxmemory", 2**30)
        assert check_memory(client).text.endswith("of 1024 MiB used")
        server.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(FarmUnreachable, match=r"drops jobs.*allowed: noeviction"):
            check_memory(client)
