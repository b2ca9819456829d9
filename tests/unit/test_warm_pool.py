"""The warm pool keeps what is used, within its budget."""

from __future__ import annotations

import pytest
from PIL import Image

from winepress_shared.errors import Environment
from winepress_shared.lane import Precision
from winepress_shared.metadata import PictureFacts
from winepress_worker.engines.base import Latents, OnStep, PipelineKey, Request, unheard
from winepress_worker.models.shelf import Report
from winepress_worker.warm_pool import WarmPool

BUDGET = 100
TTL_S = 60.0


def key(name: str) -> PipelineKey:
    return PipelineKey(name, "r1", Precision.FP16, "CPU")


class Shelved:
    """A pipeline that is nothing but a weight."""

    device = "CPU"

    def __init__(self, key: PipelineKey, footprint: int, log: list[str]) -> None:
        self.key = key
        self.footprint = footprint
        self._log = log

    def render(self, request: Request, on_step: OnStep) -> list[Image.Image]:
        return []

    def sketch(self, request: Request, on_step: OnStep) -> Latents:
        return None

    def refine(self, request: Request, latents: Latents, on_step: OnStep) -> list[Image.Image]:
        return []

    def facts(self, request: Request) -> PictureFacts:
        return PictureFacts("shelved", "CPU", "none", "r1", "none")

    def close(self) -> None:
        self._log.append(f"close {self.key.model}")


class Weights:
    """An engine that knows what each model claims to need and what it then holds."""

    def __init__(self, claims: dict[str, int], holds: dict[str, int] | None = None) -> None:
        self._claims = claims
        self._holds = claims | (holds or {})
        self.log: list[str] = []
        self.fails = False

    def key(self, model: str, precision: Precision, report: Report = unheard) -> PipelineKey:
        return PipelineKey(model, "r1", precision, "CPU")

    def estimate(self, key: PipelineKey) -> int:
        return self._claims[key.model]

    def load(self, key: PipelineKey) -> Shelved:
        self.log.append(f"load {key.model}")
        if self.fails:
            raise Environment("the model is missing")
        return Shelved(key, self._holds[key.model], self.log)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def names(pool: WarmPool) -> list[str]:
    return [key.model for key in pool.warm]


def test_a_pipeline_is_loaded_once_and_then_kept() -> None:
    """The second request gets the very same pipeline."""
    engine = Weights({"a": 10})
    pool = WarmPool(engine, BUDGET)
    assert pool.get(key("a")) is pool.get(key("a"))
    assert engine.log == ["load a"]


def test_the_least_recently_used_makes_room_before_the_new_one_is_loaded() -> None:
    """Both would not fit side by side, not even for a moment."""
    engine = Weights({"a": 40, "b": 40, "c": 40})
    pool = WarmPool(engine, BUDGET)
    for name in ("a", "b", "a", "c"):
        pool.get(key(name))
    assert engine.log == ["load a", "load b", "close b", "load c"]
    assert names(pool) == ["c", "a"]


def test_no_more_is_unloaded_than_is_needed() -> None:
    """Exactly full is still within the budget."""
    pool = WarmPool(Weights({"a": 30, "b": 30, "c": 40}), BUDGET)
    for name in ("a", "b", "c"):
        pool.get(key(name))
    assert names(pool) == ["c", "b", "a"]
    assert pool.used_bytes == BUDGET


def test_what_was_measured_counts_more_than_what_was_claimed() -> None:
    """A model that turned out small no longer drives others out."""
    engine = Weights({"a": 60, "b": 90}, holds={"b": 10})
    pool = WarmPool(engine, BUDGET)
    for name in ("a", "b", "a", "b"):
        pool.get(key(name))
    assert engine.log == ["load a", "close a", "load b", "load a"]


def test_a_pipeline_that_grew_beyond_the_budget_drives_the_others_out() -> None:
    """The one in use stays, whatever it holds."""
    engine = Weights({"a": 40, "b": 40})
    pool = WarmPool(engine, BUDGET)
    pool.get(key("a"))
    pool.get(key("b")).footprint = 200
    pool.get(key("b"))
    assert names(pool) == ["b"]


def test_a_pinned_pipeline_stays() -> None:
    """Another one goes instead, although it was used later."""
    pool = WarmPool(Weights({"a": 40, "b": 40, "c": 40}), BUDGET)
    pool.pin(key("a"))
    for name in ("a", "b", "c"):
        pool.get(key(name))
    assert names(pool) == ["c", "a"]
    pool.unpin(key("a"))
    pool.get(key("b"))
    assert names(pool) == ["b", "c"]


def test_what_cannot_fit_is_refused_and_drives_nobody_out() -> None:
    """The message names the budget; what is warm stays warm."""
    engine = Weights({"a": 60, "b": 50, "c": 500})
    pool = WarmPool(engine, BUDGET)
    pool.pin(key("a"))
    pool.get(key("a"))
    for name in ("b", "c"):
        with pytest.raises(Environment, match="memory-budget"):
            pool.get(key(name))
    assert engine.log == ["load a"]


def test_a_failed_load_leaves_no_trace() -> None:
    """The next request tries again."""
    engine = Weights({"a": 10})
    pool = WarmPool(engine, BUDGET)
    engine.fails = True
    with pytest.raises(Environment):
        pool.get(key("a"))
    assert pool.warm == ()
    engine.fails = False
    assert pool.get(key("a")).key == key("a")


def test_an_idle_pipeline_is_unloaded_after_its_time() -> None:
    """Use renews the time; pins end it."""
    clock = Clock()
    engine = Weights({"a": 10, "b": 10, "c": 10})
    pool = WarmPool(engine, BUDGET, idle_ttl_s=TTL_S, clock=clock)
    for name in ("a", "b", "c"):
        pool.get(key(name))
    pool.pin(key("c"))
    clock.now_s = TTL_S - 1
    assert pool.unload_idle() == ()
    pool.get(key("b"))
    clock.now_s = TTL_S
    assert pool.unload_idle() == (key("a"),)
    assert names(pool) == ["b", "c"]


def test_closing_unloads_everything() -> None:
    """Pinned or not, memory is given back."""
    engine = Weights({"a": 10, "b": 10})
    pool = WarmPool(engine, BUDGET)
    pool.pin(key("a"))
    for name in ("a", "b"):
        pool.get(key(name))
    pool.close()
    assert pool.warm == ()
    assert engine.log[2:] == ["close a", "close b"]
