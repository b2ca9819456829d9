"""What is loaded ahead warms up; a picture that waits is what warms its model up."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support.executor_harness import LANE, ExecutorHarness

from winepress_shared.archive import Archive
from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import TextToImage
from winepress_shared.lane import Precision
from winepress_shared.stores.folder import FolderStore
from winepress_worker.engines.base import PipelineKey
from winepress_worker.engines.fake import FakeEngine, FakePipeline
from winepress_worker.engines.trial import trial_request
from winepress_worker.fake_settings import FakeSettings
from winepress_worker.pipelines.warm_pool import WarmPool
from winepress_worker.renderer.batching import Batching
from winepress_worker.renderer.pace import Pace

KEY = PipelineKey("vignette", "fake", Precision.FP16, "CPU")
ON_GPU = replace(KEY, device="GPU")
LOAD_S, FIRST_S, STEP_S = 5.0, 40.0, 1.0
SETTINGS = FakeSettings(load_s=LOAD_S, first_s=FIRST_S, step_s=STEP_S)
_PATIENCE_S = 60.0


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.slept.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now_s)
    return clock


def draw(pool: WarmPool, engine: FakeEngine, folder: Path, units: int) -> Pace:
    """Draw a slice of pictures of one step each; returns the pace that was learned."""
    job = TextToImage(prompt="a fox", seed=1, num_inference_steps=1, n=units)
    lone = ExecutorHarness(engine, Archive(FolderStore(folder)), Batching(1), pool)
    lone.draw(Catalogue.load().resolve(job), range(units))
    return lone.pace


def test_a_slice_that_loads_its_model_draws_its_first_picture_at_once(
    clock: Clock, tmp_path: Path
) -> None:
    """No picture for nobody comes before it."""
    engine = FakeEngine(SETTINGS, sleep=clock.sleep)
    draw(WarmPool(engine, 2**40), engine, tmp_path, 2)
    assert clock.slept == [LOAD_S, FIRST_S, STEP_S, STEP_S]


def test_a_model_loaded_ahead_is_warm_when_its_first_picture_comes(
    clock: Clock, tmp_path: Path
) -> None:
    """What its first call takes was taken while nobody waited."""
    engine = FakeEngine(SETTINGS, "GPU", sleep=clock.sleep)
    pool = WarmPool(engine, 2**40)
    assert pool.preload(ON_GPU)
    clock.slept.clear()
    draw(pool, engine, tmp_path, 1)
    assert clock.slept == [STEP_S]


def test_a_plain_cpu_draws_no_picture_for_nobody(clock: Clock) -> None:
    """It would take the cores from the picture of the job that is being drawn meanwhile."""
    pool = WarmPool(FakeEngine(SETTINGS, sleep=clock.sleep), 2**40)
    assert pool.preload(KEY)
    assert clock.slept == [LOAD_S]


def test_every_load_is_counted_and_timed_whoever_asked_for_it(clock: Clock) -> None:
    """Also those ahead of time, without what it takes to warm up."""
    engine = FakeEngine(SETTINGS, sleep=clock.sleep)
    pool = WarmPool(engine, 2**40, clock=lambda: clock.now_s)
    other = engine.prepare("tiny-sd", Precision.FP16)
    pool.get(KEY)
    pool.preload(other)
    pool.get(other)
    assert (pool.loads, pool.load_s) == (2, {"vignette.fp16": LOAD_S, "tiny-sd.fp16": LOAD_S})


def test_the_first_call_after_a_load_is_not_taken_for_the_pace(
    clock: Clock, tmp_path: Path
) -> None:
    """It compiles: slices and time limits come from those after it, and from it only till then."""
    engine = FakeEngine(SETTINGS, sleep=clock.sleep)
    pool = WarmPool(engine, 2**40)
    assert draw(pool, engine, tmp_path / "a", 1).facts() == {str(LANE): FIRST_S + STEP_S}
    pool.close()
    assert draw(pool, engine, tmp_path / "b", 3).facts() == {str(LANE): STEP_S}


def test_who_waits_for_a_model_that_is_loaded_ahead_warms_it_up_himself() -> None:
    """Once somebody waits, a picture for nobody would only be in the way."""
    loading, may_end = threading.Event(), threading.Event()

    def load_slowly(seconds: float) -> None:
        loading.set()
        assert may_end.wait(_PATIENCE_S)

    pool = WarmPool(FakeEngine(SETTINGS, "GPU", sleep=load_slowly), 2**40)
    ahead = threading.Thread(target=pool.preload, args=(ON_GPU,))
    ahead.start()
    assert loading.wait(_PATIENCE_S)
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(pool.get(ON_GPU).is_warm))
    waiting.start()
    while ON_GPU not in pool._awaited:
        time.sleep(0.01)
    may_end.set()
    waiting.join(_PATIENCE_S)
    ahead.join(_PATIENCE_S)
    assert found == [False]


def test_a_model_that_cannot_warm_up_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its room is free again, and whoever needs it finds out with a picture of his own."""

    def break_down(pipeline: FakePipeline) -> None:
        raise RuntimeError("no kernel")

    monkeypatch.setattr(FakePipeline, "warm_up", break_down)
    pool = WarmPool(FakeEngine(), 2**40)
    with pytest.raises(RuntimeError):
        pool.preload(ON_GPU)
    assert (pool.warm, pool.used_bytes) == ((), 0)


@pytest.mark.parametrize("name", Catalogue.load().names)
def test_a_trial_picture_is_as_large_as_those_of_most_jobs(name: str) -> None:
    """Also if it is drawn from another picture: what it takes is what the model is said to need."""
    catalogue = Catalogue.load()
    model = catalogue.get(name)
    request = trial_request(catalogue, name, Precision.FP16, steps=1)
    assert (request.job.width, request.job.height) == (model.width, model.height)
    assert request.image is None or request.image.size == (model.width, model.height)
