"""Pictures that are drawn while the store is away."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from support.renderer_in_memory import RendererInMemory

from winepress import TextToImage
from winepress_shared.errors import StoreUnreachable
from winepress_worker.engines.base import OnStep, Request
from winepress_worker.engines.fake import FakePipeline
from winepress_worker.renderer import store_outage
from winepress_worker.renderer.batching import Batching


def test_drawing_goes_on_and_nothing_is_drawn_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store comes back when a slice of four has been drawn: two more than usual are waiting."""
    drawn: list[int] = []
    is_back = threading.Event()
    render = FakePipeline.render

    def count(self: FakePipeline, request: Request, on_step: OnStep) -> Any:
        drawn.extend(request.seeds)
        return render(self, request, on_step)

    monkeypatch.setattr(FakePipeline, "render", count)
    monkeypatch.setattr(store_outage, "_PAUSES_S", (0.01,))
    worker = RendererInMemory(tmp_path, batching=Batching(1))
    write, settle = worker.archive.store.put_new, worker.delivery.settle

    def put_new(key: str, data: bytes, **options: Any) -> bool:
        if not is_back.is_set():
            raise StoreUnreachable("away")
        return write(key, data, **options)

    def come_back() -> None:
        assert len(drawn) >= 4
        is_back.set()
        settle()

    worker.submit(TextToImage(prompt="a fox", n=8, num_inference_steps=1, seed=1))
    monkeypatch.setattr(worker.archive.store, "put_new", put_new)
    monkeypatch.setattr(worker.delivery, "settle", come_back)
    row = worker.work()
    assert (row.state, row.done) == ("succeeded", 8)
    assert len(drawn) == len(set(drawn)) == 8
