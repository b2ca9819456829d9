"""Two models draw one picture, side by side in the warm pool."""

from __future__ import annotations

import pytest

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault
from winepress_shared.jobs.job import TextToImage
from winepress_shared.lane import Precision
from winepress_worker.engines.base import Request, ignore_steps
from winepress_worker.engines.fake import FakeEngine
from winepress_worker.pipelines.refined import StagedPipeline
from winepress_worker.pipelines.warm_pool import WarmPool

_MIB = 2**20
PLAIN = Catalogue.load().resolve(TextToImage(prompt="a fox", seed=1, num_inference_steps=4))
REFINED = PLAIN.model_copy(update={"refiner": "sdxl-refiner", "denoising_end": 0.5})


def staged(budget_mib: int) -> tuple[StagedPipeline, WarmPool]:
    """A pipeline of an engine whose models hold 100 MiB each."""
    engine = FakeEngine()
    pool = WarmPool(engine, budget_mib * _MIB)
    first = pool.get(engine.key("vignette", Precision.FP16))
    return StagedPipeline(first, pool, engine.key), pool


def test_a_refiner_finishes_what_the_first_model_began() -> None:
    """Steps are counted through both; both are warm, and the picture names both revisions."""
    pipeline, pool = staged(250)
    calls: list[int] = []
    (refined,) = pipeline.render(Request(REFINED, (1,)), lambda done, total: calls.append(done))
    (plain,) = pipeline.render(Request(PLAIN, (1,)), ignore_steps)
    assert refined.tobytes() != plain.tobytes()
    assert calls == [1, 2, 3, 4, 5]
    assert [key.model for key in pool.warm] == ["sdxl-refiner", "vignette"]
    assert pipeline.facts(Request(REFINED, (1,))).revision == "fake+fake"
    assert pipeline.facts(Request(PLAIN, (1,))).revision == "fake"


def test_a_refiner_that_does_not_fit_beside_the_first_model_is_not_loaded() -> None:
    """The first one is never pushed out for it; the job waits for a larger worker."""
    pipeline, pool = staged(150)
    with pytest.raises(EnvironmentFault, match="more memory"):
        pipeline.warm_refiner(REFINED)
    assert [key.model for key in pool.warm] == ["vignette"]
    pipeline.warm_refiner(PLAIN)


def test_a_job_with_a_refiner_does_not_take_a_workers_own_pin_away() -> None:
    """What a worker was told to keep it keeps; the refiner goes when a third model comes."""
    pipeline, pool = staged(250)
    pool.pin(pipeline.key)
    pipeline.warm_refiner(REFINED)
    pool.get(FakeEngine().key("sdxl-turbo", Precision.FP16))
    assert [key.model for key in pool.warm] == ["sdxl-turbo", "vignette"]
