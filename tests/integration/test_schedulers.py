"""Every scheduler a job may name draws the picture that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from winepress_shared.jobs.job import parse_job
from winepress_shared.jobs.schedulers import SCHEDULERS, SCHEDULES
from winepress_shared.lane import Precision
from winepress_worker.engines import open_engine
from winepress_worker.engines.base import Pipeline, Request
from winepress_worker.models.local_models import LocalModels
from winepress_worker.options import WorkerOptions

# diffusers 0.37 turns torch tensors into arrays in ways NumPy 2 will drop one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

STEPS = 12
#: Mean absolute difference from the same seed by 20 steps of DDIM, in 8-bit levels: all that draw
#: stay below 23, those that leave noise lie above 45, random pictures about 85 apart.
MOST_LEVELS = 30.0

NAMES = [
    f"{scheduler.name}:{schedule}"
    for scheduler in SCHEDULERS
    for schedule in (SCHEDULES if scheduler.schedules else ("normal",))
]


@pytest.fixture(scope="module")
def pipeline(local_models: LocalModels, model_home: Path) -> Iterator[Pipeline]:
    engine = open_engine(WorkerOptions("test"), local_models, model_home)
    loaded = engine.load(engine.prepare("vignette", Precision.FP16))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def wanted(pipeline: Pipeline, local_models: LocalModels) -> Image.Image:
    return draw(pipeline, local_models, "ddim", 20)


def draw(pipeline: Pipeline, local_models: LocalModels, scheduler: str, steps: int) -> Image.Image:
    job = parse_job(
        {
            "prompt": "a red apple on a teal background",
            "seed": 1,
            "scheduler": scheduler,
            "num_inference_steps": steps,
        }
    )
    request = Request(local_models.catalogue.resolve(job), (1,))
    return pipeline.render(request, lambda done, total: None)[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_scheduler_draws_the_same_apple(
    name: str, pipeline: Pipeline, local_models: LocalModels, wanted: Image.Image
) -> None:
    """Samplers differ in detail, but what they draw from one seed is one picture."""
    picture = draw(pipeline, local_models, name, STEPS)
    means = ImageStat.Stat(ImageChops.difference(picture, wanted)).mean
    assert sum(means) / len(means) < MOST_LEVELS


@pytest.mark.parametrize("name", [scheduler.name for scheduler in SCHEDULERS])
def test_every_scheduler_runs_with_a_single_step(
    name: str, pipeline: Pipeline, local_models: LocalModels
) -> None:
    """One step is allowed, so it must not break anywhere."""
    assert draw(pipeline, local_models, name, 1).size == (256, 256)
