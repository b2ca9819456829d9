"""A worker without memory or open files: it cannot ask the store, and others do not wait for it."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from support.audited_farm import LANE
from support.servers import S3Server
from urllib3.connectionpool import HTTPConnectionPool

from winepress import Client, TextToImage
from winepress_shared.ledger.lanes import LaneIndex
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.settings import Settings
from winepress_worker.options import WorkerOptions
from winepress_worker.renderer import store_outage
from winepress_worker.renderer.renderer import Renderer


@pytest.mark.parametrize(
    ("method", "lack"),
    [("GET", OSError(errno.EMFILE, "Too many open files")), ("PUT", MemoryError())],
)
def test_a_worker_that_lacks_what_it_takes_to_ask_the_store_rests_no_lane(
    method: str,
    lack: Exception,
    farm_settings: Settings,
    s3_server: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was taken for an outage: all workers rested, and what it had drawn waited for the store.

    Now it leaves the lane, and another one gets its pictures at once, with no attempt counted.
    """
    on_broker = {"farm": farm_settings.farm, "broker_url": farm_settings.broker_url}
    settings = s3_server.settings(home=tmp_path / "home", **on_broker)
    renderer = Renderer(WorkerOptions("one", engine="fake"), settings, lambda lane: None)
    renderer._messenger.start()
    with Client(settings) as client:
        client.submit(TextToImage(prompt="a fox", n=2, num_inference_steps=1))
    ask = HTTPConnectionPool.urlopen

    def starve(pool: HTTPConnectionPool, **request: Any) -> Any:
        if request["method"] == method:
            raise lack
        return ask(pool, **request)

    monkeypatch.setattr(HTTPConnectionPool, "urlopen", starve)
    monkeypatch.setattr(store_outage, "PATIENCE_S", 0.0)
    renderer.run(LANE)
    ledger, lanes = Ledger(settings), LaneIndex(settings)
    assert lanes.parked(LANE) is None
    slices = [ledger.claim(LANE, "two", "two/1", 1) for _ in range(2)]
    assert [one.attempts for one in slices if one] == [0, 0]
    ledger.close()
    lanes.close()
