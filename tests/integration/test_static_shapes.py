"""A device that takes models of one shape only, rehearsed on the CPU, draws what the CPU draws."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job, parse_job
from winepress_shared.lane import Precision
from winepress_worker.engines import open_engine
from winepress_worker.engines.base import Pipeline, Request, ignore_steps
from winepress_worker.engines.compiled_parts import CompiledParts, ShapedModel
from winepress_worker.models.local_models import LocalModels
from winepress_worker.options import WorkerOptions
from winepress_worker.pipelines.slice_pipelines import SlicePipelines
from winepress_worker.pipelines.warm_pool import WarmPool
from winepress_worker.renderer import self_test

# diffusers 0.37 turns torch tensors into arrays in ways NumPy 2 will drop one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

CATALOGUE = Catalogue.load()
#: Kernels for a fixed shape may add in another order: one level of 255 in 32 bits.
_MOST_LEVELS = 1


def some_job(**values: object) -> Job:
    defaults = {"prompt": "a red apple", "num_inference_steps": 3, "seed": 1}
    return CATALOGUE.resolve(parse_job(defaults | values))


@pytest.fixture(scope="module")
def pipelines(local_models: LocalModels, model_home: Path) -> Iterator[list[Pipeline]]:
    """The same model on the CPU, and on the CPU as an NPU."""
    loaded = []
    for device in ("CPU", "NPU=CPU"):
        options = WorkerOptions("test", device, precision_hints=("f32",))
        engine = open_engine(options, local_models, model_home)
        loaded.append(engine.load(engine.prepare("vignette", Precision.FP16)))
    yield loaded
    for pipeline in loaded:
        pipeline.close()


def farthest(one: Image.Image, other: Image.Image) -> int:
    """Largest difference of any value, in 8-bit levels."""
    return max(high for _, high in ImageChops.difference(one, other).getextrema())  # type: ignore[misc]


def requests() -> Iterator[Request]:
    picture = Image.radial_gradient("L").resize((256, 192)).convert("RGB")
    mask = Image.linear_gradient("L").resize((256, 192)).point(lambda level: 255 * (level > 99))
    yield Request(some_job(), (1, 2))
    yield Request(some_job(width=192, guidance_scale=1.0), (3,))
    yield Request(some_job(guidance_stop=0.5), (6, 7))
    kept = {"image": picture, "strength": 0.7, "num_inference_steps": 4}
    yield Request(some_job(kind="image-to-image", **kept), (4,), picture)
    inpaint = some_job(kind="inpaint", model="vignette", mask=mask, **kept)
    yield Request(inpaint, (5,), picture, mask)


def test_fixed_and_open_shapes_give_equal_pictures(pipelines: list[Pipeline]) -> None:
    """Every kind of job, several sizes and numbers, with and without guidance."""
    for request in requests():
        opened, fixed = (pipeline.render(request, ignore_steps) for pipeline in pipelines)
        for one, other in zip(opened, fixed, strict=True):
            assert farthest(one, other) <= _MOST_LEVELS, request.job.kind


def test_a_size_off_the_grid_is_cut_out_of_the_next_larger_one(pipelines: list[Pipeline]) -> None:
    """Few shapes serve all sizes: what is asked for is the middle of what is drawn."""
    job = some_job()
    (whole,) = pipelines[1].render(Request(job, (1,)), ignore_steps)
    small = job.model_copy(update={"width": 200, "height": 224})
    (cut,) = pipelines[1].render(Request(small, (1,)), ignore_steps)
    assert cut.tobytes() == whole.crop((28, 16, 228, 240)).tobytes()


def test_without_guidance_the_denoiser_is_compiled_for_half_the_batch(
    local_models: LocalModels, model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One picture is a batch of two with guidance and of one without; few shapes are kept."""
    shaped: dict[str, ShapedModel] = {}
    plain = CompiledParts.get

    def remember(self: CompiledParts, name: str, model: object) -> object:
        shaped[name] = plain(self, name, model)
        return shaped[name]

    monkeypatch.setattr(CompiledParts, "get", remember)
    engine = open_engine(WorkerOptions("test", "NPU=CPU"), local_models, model_home)
    pipeline = engine.load(engine.prepare("vignette", Precision.FP16))
    for guidance in (2.5, 1.0):
        job = some_job(guidance_scale=guidance, num_inference_steps=1, width=64, height=64)
        pipeline.render(Request(job, (1,)), ignore_steps)
    batches = [shape["sample"][0] for shape in shaped["unet"].shapes]
    assert batches[-2:] == [2, 1]
    for side in (64, 128, 192, 256, 320):
        job = some_job(num_inference_steps=1, width=side, height=64)
        pipeline.render(Request(job, (1,)), ignore_steps)
    assert len(shaped["unet"].shapes) == 4
    pipeline.close()


@pytest.mark.arithmetic
def test_blobs_of_another_arithmetic_are_not_taken(
    local_models: LocalModels, model_home: Path, tmp_path: Path
) -> None:
    """What was compiled in 32 bits first does not spoil what is computed in the device's own."""
    likenesses = []
    for hints in (("f32",), ()):
        options = WorkerOptions("test", "NPU=CPU", precision_hints=hints)
        engine = open_engine(options, local_models, tmp_path)
        picture, _ = self_test.draw(engine, CATALOGUE)
        likenesses.append(self_test.likeness_db(picture, self_test.golden()))
    assert min(likenesses) > self_test.LEAST_DB


def test_a_device_of_one_shape_draws_its_first_picture_for_a_job(
    local_models: LocalModels, model_home: Path
) -> None:
    """Nothing was drawn before it, so nothing is compiled yet that could name its device."""
    engine = open_engine(WorkerOptions("test", "NPU=CPU"), local_models, model_home)
    pool = WarmPool(engine, 2**40)
    pipelines = SlicePipelines(engine, pool, lambda message: None, lambda: None)
    request = Request(some_job(num_inference_steps=1), (1,))
    (picture,) = pipelines.render(request, ignore_steps)
    assert (picture.size, pipelines.facts(request).device) == ((256, 256), "CPU")
    pool.close()


def test_a_pipeline_says_where_its_stages_were_computed(
    local_models: LocalModels, model_home: Path
) -> None:
    """Text on the CPU, the denoiser as on an NPU, the autoencoder wherever AUTO puts it."""
    options = WorkerOptions("test", "NPU=CPU", stage_devices=("text=CPU", "vae=AUTO:CPU"))
    engine = open_engine(options, local_models, model_home)
    pipeline = engine.load(engine.prepare("vignette", Precision.FP16))
    request = Request(some_job(), (1,))
    (picture,) = pipeline.render(request, ignore_steps)
    assert picture.size == (256, 256)
    assert pipeline.facts(request).device == "CPU"
    pipeline.close()
