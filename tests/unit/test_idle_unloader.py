"""Memory is given back when nobody draws, and models are loaded before they are needed."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from winepress_shared.errors import BrokerUnreachable
from winepress_shared.lane import Precision
from winepress_worker.engines.base import PipelineKey
from winepress_worker.engines.fake import FakeEngine
from winepress_worker.fake_settings import FakeSettings
from winepress_worker.pipelines.idle_unloader import IdleUnloader
from winepress_worker.pipelines.preloader import Preloader
from winepress_worker.pipelines.warm_pool import WarmPool
from winepress_worker.renderer.unfit import Unfit

SIZE = 100
_PATIENCE_S = 60.0
_FP16 = Precision.FP16


def engine() -> FakeEngine:
    return FakeEngine(FakeSettings(footprint_bytes=SIZE))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)


def test_what_is_idle_is_unloaded_while_nobody_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever draws is left alone; afterwards the next tick takes it, and the farm is told."""
    monkeypatch.setattr("winepress_worker.pipelines.idle_unloader._TICK_S", 0.01)
    maker, told = engine(), []
    pool = WarmPool(maker, 10 * SIZE, idle_ttl_s=0.0)
    idle_unloader = IdleUnloader(pool, Unfit(lambda model: None), lambda: told.append(pool.warm))
    with idle_unloader.paused():
        pool.get(maker.prepare("vignette", _FP16))
        idle_unloader.start()
        time.sleep(0.1)  # ten of its ticks: nothing can be awaited that must not happen
        assert pool.warm
    wait_for(lambda: told == [()])


def test_a_look_that_fails_is_not_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a model that was refused for lack of memory would never be tried again."""
    monkeypatch.setattr("winepress_worker.pipelines.idle_unloader._TICK_S", 0.01)
    pool, looks = WarmPool(engine(), 10 * SIZE), list[int]()

    def look() -> list[PipelineKey]:
        looks.append(len(looks))
        if len(looks) == 1:
            raise MemoryError
        return []

    monkeypatch.setattr(pool, "unload_idle", look)
    IdleUnloader(pool, Unfit(lambda model: None), lambda: None).start()
    wait_for(lambda: len(looks) > 1)


def test_the_next_model_is_loaded_ahead_when_it_may_be() -> None:
    """The load is marked for the farm; in an outage, or while another loads it, nothing begins."""
    maker = engine()
    pool = WarmPool(maker, 2 * SIZE)
    marks: list[str] = []

    def refuse(model: str) -> bool:
        raise BrokerUnreachable("away")

    def mark(model: str) -> bool:
        marks.append(model)
        return True

    Preloader(maker, pool, refuse).consider("vignette.fp16")
    Preloader(maker, pool, lambda model: False).consider("vignette.fp16")
    preloader = Preloader(maker, pool, mark)
    preloader.consider(None)
    assert (pool.warm, marks) == ((), [])
    preloader.consider("vignette.fp16")
    wait_for(lambda: pool.warm == (maker.prepare("vignette", _FP16),))
    assert marks == ["vignette.fp16"]


def test_what_finds_no_room_is_not_tried_again_until_there_is_more() -> None:
    """Every try would cost the farm a mark that keeps other workers from loading it."""
    maker = engine()
    pool = WarmPool(maker, 2 * SIZE)
    for name in ("one", "two"):
        pool.get(maker.prepare(name, _FP16))
    marks: list[str] = []

    def mark(model: str) -> bool:
        marks.append(model)
        return True

    preloader = Preloader(maker, pool, mark)
    for _ in range(3):
        preloader.consider("three.fp16")
        wait_for(lambda: not preloader.is_busy)
    assert marks == ["three.fp16"]
    pool.close()
    preloader.consider("three.fp16")
    wait_for(lambda: pool.warm == (maker.prepare("three", _FP16),))
