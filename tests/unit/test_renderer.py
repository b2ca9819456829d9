"""The composition root of a rendering process."""

from __future__ import annotations

import threading
from pathlib import Path

from winepress_shared.settings import Settings
from winepress_worker.options import WorkerOptions
from winepress_worker.renderer.renderer import Renderer


def test_a_renderer_that_is_made_starts_nothing(tmp_path: Path) -> None:
    """No thread and no load: both wait for `start`, so it can be made without a broker."""
    settings = Settings(home=tmp_path / "home", store_folder=tmp_path / "store")
    before = set(threading.enumerate())
    renderer = Renderer(
        WorkerOptions("one", engine="fake", pins=("vignette.fp16",)), settings, lambda lane: None
    )
    assert set(threading.enumerate()) <= before
    assert renderer._pool.warm == ()


def test_what_a_renderer_asks_the_broker_goes_through_one_server(tmp_path: Path) -> None:
    """Each with a server of its own would have a pool and all scripts of its own."""
    settings = Settings(home=tmp_path / "home", store_folder=tmp_path / "store")
    renderer = Renderer(WorkerOptions("one", engine="fake"), settings, lambda lane: None)
    leases = renderer._lease_client
    asking = (leases._ledger, renderer._lane_index, leases.previews._store)
    assert len({one._server for one in asking}) == 1
