"""The mark of a model that a worker loads ahead, on a real server."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import redis

from winepress_shared.settings import Settings
from winepress_worker.engines.base import PipelineKey
from winepress_worker.engines.fake import FakeEngine, FakePipeline
from winepress_worker.options import WorkerOptions
from winepress_worker.renderer.renderer import Renderer

_PATIENCE_S = 60.0


def test_a_worker_that_describes_itself_keeps_the_mark_of_what_it_loads_ahead(
    farm_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A description takes it back, and is told in the background; others would load it too."""
    settings = farm_settings.model_copy(update={"home": tmp_path / "home"})
    renderer = Renderer(WorkerOptions("one", engine="fake"), settings, lambda lane: None)
    renderer._messenger.start()  # and nothing else, which would outlive the test
    may_end = threading.Event()
    load = FakeEngine.load

    def load_slowly(engine: FakeEngine, key: PipelineKey) -> FakePipeline:
        assert may_end.wait(_PATIENCE_S)
        return load(engine, key)

    monkeypatch.setattr(FakeEngine, "load", load_slowly)
    renderer._preloader.consider("vignette.fp16")
    loader = renderer._preloader._thread
    assert loader is not None
    try:
        for _ in range(2):
            renderer.describe()
            renderer._messenger.settle()
            with redis.Redis.from_url(settings.broker_url.get_secret_value()) as broker:
                assert broker.zrange(f"{settings.farm}:loading_workers:vignette.fp16", 0, -1) == [
                    b"one"
                ]
    finally:
        may_end.set()
        loader.join()
