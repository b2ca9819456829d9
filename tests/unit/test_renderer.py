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
