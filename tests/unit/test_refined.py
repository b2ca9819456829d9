"""Two models draw one picture, side by side in the warm pool."""

from __future__ import annotations

import pytest

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault
from winepress_shared.jobs.job import TextToImage
from winepress_shared.lane import Precision
from winepress_worker.engines.base import PipelineKey, Request, ignore_steps
from winepress_worker.engines.fake import FakeEngine, FakePipeline
from winepress_worker.pipelines.slice_pipelines import SlicePipelines
from winepress_worker.pipelines.warm_pool import WarmPool

_MIB = 2**20
PLAIN = Catalogue.load().resolve(TextToImage(prompt="a fox", seed=1, num_inference_steps=4))
REFINED = PLAIN.model_copy(update={"refiner": "sdxl-refiner", "denoising_end": 0.5})


def pipelines(budget_mib: int) -> tuple[SlicePipelines, WarmPool]:
    """Those of an engine whose models hold 100 MiB each."""
    engine = FakeEngine()
    pool = WarmPool(engine, budget_mib * _MIB)
    return SlicePipelines(engine, pool, lambda message: None, lambda: None), pool


def test_a_refiner_finishes_what_the_first_model_began() -> None:
    """Steps are counted through both; both are warm, and the picture names both revisions."""
    renderer, pool = pipelines(250)
    calls: list[int] = []
    (refined,) = renderer.render(Request(REFINED, (1,)), lambda done, total: calls.append(done))
    (plain,) = renderer.render(Request(PLAIN, (1,)), ignore_steps)
    assert refined.tobytes() != plain.tobytes()
    assert calls == [1, 2, 3, 4, 5]
    assert {key.model for key in pool.warm} == {"sdxl-refiner", "vignette"}
    assert renderer.facts(Request(REFINED, (1,))).revision == "fake+fake"
    assert renderer.facts(Request(PLAIN, (1,))).revision == "fake"


def test_a_picture_of_two_models_is_a_first_one_until_both_have_drawn() -> None:
    """Its time says nothing of the pace: a first call compiles kernels."""
    renderer, _ = pipelines(250)
    renderer.render(Request(PLAIN, (1,)), ignore_steps)
    assert renderer.is_warm(PLAIN)
    assert not renderer.is_warm(REFINED)


def test_a_refiner_that_does_not_fit_beside_the_first_model_is_not_loaded() -> None:
    """The first one is never pushed out for it; the job waits for a larger worker."""
    renderer, pool = pipelines(150)
    with pytest.raises(EnvironmentFault, match="more memory"):
        renderer.load(REFINED)
    assert [key.model for key in pool.warm] == ["vignette"]
    renderer.load(PLAIN)


def test_a_job_with_a_refiner_does_not_take_a_workers_own_pin_away() -> None:
    """What a worker was told to keep it keeps; the refiner goes when a third model comes."""
    renderer, pool = pipelines(250)
    pool.pin(renderer.prepare("vignette", Precision.FP16))
    renderer.load(REFINED)
    pool.get(FakeEngine().prepare("sdxl-turbo", Precision.FP16))
    assert [key.model for key in pool.warm] == ["sdxl-turbo", "vignette"]


def test_two_models_that_have_grown_beyond_the_budget_are_not_loaded_for_each_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They were loaded side by side, so they stay while they draw one picture after the other."""
    renderer, _ = pipelines(220)
    loads: list[str] = []
    load = FakeEngine.load

    def count(engine: FakeEngine, key: PipelineKey) -> FakePipeline:
        loads.append(key.model)
        return load(engine, key)

    monkeypatch.setattr(FakeEngine, "load", count)
    for _ in range(3):
        renderer.render(Request(REFINED, (1,)), ignore_steps)
        for pipeline in renderer.load(REFINED):
            pipeline.footprint = 115 * _MIB
    assert loads == ["vignette", "sdxl-refiner"]
