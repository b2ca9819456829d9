"""The warm pool keeps what is used, within its budget."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from winepress_shared.errors import EnvironmentFault
from winepress_shared.jobs.job import Job
from winepress_shared.lane import Precision
from winepress_shared.metadata import PictureFacts
from winepress_worker.engines.base import Latents, OnStep, PipelineKey, Request
from winepress_worker.host_budget import HostBudget
from winepress_worker.pipelines.warm_pool import WarmPool
from winepress_worker.report import Report, ignore_progress

BUDGET = 100
TTL_S = 60.0
_PATIENCE_S = 60.0


def key(name: str) -> PipelineKey:
    return PipelineKey(name, "r1", Precision.FP16, "CPU")


class Shelved:
    """A pipeline that is nothing but a weight."""

    device = "CPU"
    is_warm = True

    def __init__(self, key: PipelineKey, footprint: int, log: list[str]) -> None:
        self.key = key
        self.footprint = footprint
        self._log = log

    def warm_up(self) -> None: ...

    def render(self, request: Request, on_step: OnStep) -> list[Image.Image]:
        return []

    def run_base(self, request: Request, on_step: OnStep) -> Latents:
        return None

    def run_refiner(self, request: Request, latents: Latents, on_step: OnStep) -> list[Image.Image]:
        return []

    def unread(self, job: Job) -> tuple[str, ...]:
        return ()

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

    def prepare(
        self, model: str, precision: Precision, report: Report = ignore_progress
    ) -> PipelineKey:
        return PipelineKey(model, "r1", precision, "CPU")

    def estimate(self, key: PipelineKey) -> int:
        return self._claims[key.model]

    def load(self, key: PipelineKey) -> Shelved:
        self.log.append(f"load {key.model}")
        if self.fails:
            raise EnvironmentFault("the model is missing")
        return Shelved(key, self._holds[key.model], self.log)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Slow(Weights):
    """Loads end when they are told to."""

    def __init__(self, claims: dict[str, int]) -> None:
        super().__init__(claims)
        self.began, self.may_end = threading.Event(), threading.Event()

    def load(self, key: PipelineKey) -> Shelved:
        self.began.set()
        assert self.may_end.wait(_PATIENCE_S)
        return super().load(key)


def join(folder: Path) -> closing[HostBudget]:
    """One more worker of a machine."""
    return closing(HostBudget(folder, BUDGET))


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
    with pool.pinned(key("a")):
        for name in ("a", "b", "c"):
            pool.get(key(name))
        assert names(pool) == ["c", "a"]
    pool.get(key("b"))
    assert names(pool) == ["b", "c"]


def test_what_cannot_fit_is_refused_and_drives_nobody_out() -> None:
    """The message names the budget; what is warm stays warm."""
    engine = Weights({"a": 60, "b": 50, "c": 500})
    pool = WarmPool(engine, BUDGET)
    pool.pin(key("a"))
    pool.get(key("a"))
    for name in ("b", "c"):
        with pytest.raises(EnvironmentFault, match="memory-budget"):
            pool.get(key(name))
    assert engine.log == ["load a"]


def test_a_failed_load_leaves_no_trace() -> None:
    """The next request tries again."""
    engine = Weights({"a": 10})
    pool = WarmPool(engine, BUDGET)
    engine.fails = True
    with pytest.raises(EnvironmentFault):
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


def test_a_preload_takes_free_room_only() -> None:
    """What is warm stays, and what is loaded ahead is used without another load."""
    engine = Weights({"a": 40, "b": 40, "c": 40})
    pool = WarmPool(engine, BUDGET)
    pool.get(key("a"))
    assert pool.preload(key("b"))
    assert not pool.preload(key("c"))
    assert not pool.preload(key("b"))
    pool.get(key("b"))
    assert engine.log == ["load a", "load b"]


def test_a_failed_preload_gives_its_room_back() -> None:
    """The next one may have it."""
    engine = Weights({"a": 80})
    pool = WarmPool(engine, BUDGET)
    engine.fails = True
    with pytest.raises(EnvironmentFault):
        pool.preload(key("a"))
    assert pool.free_bytes == BUDGET


def test_whoever_needs_what_is_being_loaded_ahead_waits_for_it() -> None:
    """It is not loaded twice, its room is counted meanwhile, and what is warm can be used."""
    engine = Slow({"a": 40, "b": 40})
    engine.may_end.set()
    pool = WarmPool(engine, BUDGET)
    pool.get(key("a"))
    engine.may_end.clear()
    engine.began.clear()
    ahead = threading.Thread(target=pool.preload, args=(key("b"),))
    ahead.start()
    assert engine.began.wait(_PATIENCE_S)
    assert pool.get(key("a")).key == key("a")
    assert pool.free_bytes == BUDGET - 80
    threading.Timer(0.05, engine.may_end.set).start()
    assert pool.get(key("b")).key == key("b")
    ahead.join()
    assert engine.log == ["load a", "load b"]


def test_pools_of_one_machine_stay_within_its_memory_together(tmp_path: Path) -> None:
    """A pool gives up its own unused pipelines first, before it loads more than there is."""
    with join(tmp_path) as mine, join(tmp_path) as its:
        one, other = (
            WarmPool(Weights({"a": 40, "b": 40}), BUDGET, host=books) for books in (mine, its)
        )
        one.get(key("a"))
        other.get(key("a"))
        assert not other.preload(key("b"))
        other.get(key("b"))
        assert (names(one), names(other)) == (["a"], ["b"])


def test_a_pool_makes_way_for_another_worker_that_needs_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longest unused goes; what is in use and what is pinned stays."""
    monkeypatch.setattr("winepress_worker.pipelines.warm_pool._OTHERS_S", 0.0)
    with join(tmp_path) as mine, join(tmp_path) as its:
        pool = WarmPool(Weights({"a": 30, "b": 30, "c": 30}), BUDGET, host=mine)
        late = WarmPool(Weights({"d": 40, "e": 40, "f": 50}), BUDGET, host=its)
        for name in ("a", "b", "c"):
            pool.get(key(name))
        pool.pin(key("a"))
        its.want(40)
        assert pool.make_way(keep=key("c")) == (key("b"),)
        assert not late.finds_room(PipelineKey("f", "", Precision.FP16, "CPU"))
        late.pin(key("d"))
        late.get(key("d"))
        with pytest.raises(EnvironmentFault, match="other workers of this machine"):
            late.get(key("e"))
