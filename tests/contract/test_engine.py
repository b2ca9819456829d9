"""What every engine promises, asked of the fake one and of OpenVINO with the bundled models."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.render_requests import (
    SIDE_PX,
    STEPS,
    difference,
    image_request,
    inpaint_request,
    no_watch,
    some_job,
    source_picture,
)

from winepress_shared.errors import CancelRequested, EnvironmentFault, FailForGood
from winepress_shared.lane import Precision
from winepress_worker.engines import open_engine
from winepress_worker.engines.base import Engine, Pipeline, PipelineKey, Request
from winepress_worker.models.local_models import LocalModels
from winepress_worker.options import WorkerOptions

# diffusers 0.37 turns torch tensors into arrays in ways NumPy 2 will drop one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")


def watch(calls: list[tuple[int, int]]) -> Any:
    return lambda done, total: calls.append((done, total))


def test_one_picture_per_seed_comes_back_in_the_size_that_was_asked_for(pipeline: Pipeline) -> None:
    """Number, size and mode of the result follow the request."""
    pictures = pipeline.render(Request(some_job(width=512, height=256), (5, 9)), no_watch)
    assert [(p.size, p.mode) for p in pictures] == [((512, 256), "RGB")] * 2


@pytest.mark.arithmetic
def test_the_same_seed_gives_the_same_bytes(pipeline: Pipeline) -> None:
    """A job rendered twice is the same picture, and another seed is another one."""
    first, again, other = (
        pipeline.render(Request(some_job(), (seed,)), no_watch)[0].tobytes() for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_a_pipeline_is_warm_once_it_has_drawn(engine: Engine) -> None:
    """A load draws nothing; whoever loads ahead warms up, and others draw their picture."""
    request = Request(some_job(), (1,))
    draws: tuple[Callable[[Pipeline], object], ...] = (
        lambda one: one.warm_up(),
        lambda one: one.render(request, no_watch),
    )
    for draw in draws:
        loaded = engine.load(engine.prepare("vignette", Precision.FP16))
        assert not loaded.is_warm
        held = loaded.footprint
        draw(loaded)
        assert loaded.is_warm
        assert loaded.footprint >= held
        loaded.close()


def test_every_step_is_counted_for_every_kind(pipeline: Pipeline) -> None:
    """The callback sees 1 to n of n; a source picture leaves int(steps times strength) of them."""
    for request, total in (
        (Request(some_job(), (1,)), STEPS),
        (image_request(strength=0.5, steps=8), 4),
        (inpaint_request("vignette"), STEPS),
    ):
        calls: list[tuple[int, int]] = []
        pipeline.render(request, watch(calls))
        assert calls == [(done, total) for done in range(1, total + 1)], request.job.kind


@pytest.mark.parametrize(
    "error", [CancelRequested("stop"), RuntimeError("mine")], ids=["ours", "foreign"]
)
def test_stopping_at_a_step_leaves_the_pipeline_usable(
    pipeline: Pipeline, error: Exception
) -> None:
    """What the callback raises comes out unchanged, at that step, and spoils nothing after it."""
    before = pipeline.render(Request(some_job(), (1,)), no_watch)[0]
    calls: list[int] = []

    def stop(done: int, total: int) -> None:
        calls.append(done)
        if done == 2:
            raise error

    with pytest.raises(type(error)) as caught:
        pipeline.render(Request(some_job(), (1,)), stop)
    assert caught.value is error
    assert calls == [1, 2]
    after = pipeline.render(Request(some_job(), (1,)), no_watch)[0]
    assert after.tobytes() == before.tobytes()


def test_strength_decides_how_much_of_the_source_is_left(pipeline: Pipeline) -> None:
    """More strength takes image-to-image further away from the picture it started from."""
    source = source_picture()
    (light,) = pipeline.render(image_request(strength=0.3, steps=10), no_watch)
    (heavy,) = pipeline.render(image_request(strength=1.0, steps=10), no_watch)
    assert 0 < difference(light, source) < difference(heavy, source)


def test_a_source_of_another_size_is_fitted_to_the_job(pipeline: Pipeline) -> None:
    """The job's size decides, not the picture's."""
    request = image_request()
    large = source_picture().resize((400, 300))
    (picture,) = pipeline.render(Request(request.job, (1,), large), no_watch)
    assert picture.size == (SIDE_PX, SIDE_PX)


@pytest.mark.parametrize("model", ["vignette", "vignette-inpaint"])
def test_inpaint_draws_in_the_mask_and_keeps_every_other_pixel(
    model: str, pipeline: Pipeline, filler: Pipeline
) -> None:
    """Black parts of the mask are the source's own pixels, white parts are new."""
    (picture,) = (pipeline if model == "vignette" else filler).render(
        inpaint_request(model), no_watch
    )
    kept, drawn = (0, 0, SIDE_PX // 2, SIDE_PX), (SIDE_PX // 2, 0, SIDE_PX, SIDE_PX)
    source = source_picture()
    assert picture.crop(kept).tobytes() == source.crop(kept).tobytes()
    assert difference(picture.crop(drawn), source.crop(drawn)) > 5


def test_a_job_without_its_source_picture_can_never_work(pipeline: Pipeline) -> None:
    """Rendering it again elsewhere would not help, so it fails for good."""
    with pytest.raises(FailForGood, match="picture"):
        pipeline.render(Request(image_request().job, (1,)), no_watch)


def test_previews_come_after_every_so_many_steps_and_change_nothing(pipeline: Pipeline) -> None:
    """Small pictures, none after the last step; the picture is the same as without previews."""
    seen: list[tuple[int, int, list[Image.Image]]] = []
    request = Request(some_job(preview_every=1), (1, 2))
    watched = replace(request, on_preview=lambda *told: seen.append((told[0], told[1], [*told[2]])))
    drawn = pipeline.render(watched, no_watch)
    assert [(done, total) for done, total, _ in seen] == [(1, STEPS), (2, STEPS), (3, STEPS)]
    for _, _, pictures in seen:
        assert [(p.mode, max(p.size) <= 256) for p in pictures] == [("RGB", True)] * 2
    alone = pipeline.render(request, no_watch)
    assert [p.tobytes() for p in drawn] == [p.tobytes() for p in alone]
    last = seen[-1][2][0].resize(drawn[0].size)
    assert difference(last, drawn[0]) < difference(last, drawn[1])


def test_pictures_say_how_they_came_to_be(engine: Engine, pipeline: Pipeline) -> None:
    """Revision and device used are known, and the pipeline says what memory it holds."""
    facts = pipeline.facts(Request(some_job(scheduler="euler"), (1,)))
    assert facts.revision == engine.prepare("vignette", Precision.FP16).revision
    assert facts.device == pipeline.device == "CPU"
    assert pipeline.footprint > 2**20
    assert engine.estimate(pipeline.key) > 2**20


def test_openvino_names_the_scheduler_it_really_used(
    local_models: LocalModels, model_home: Path
) -> None:
    """A scheduler is what was asked for, with its noise schedule, and the next job has its own."""
    engine = open_engine(WorkerOptions("test"), local_models, model_home)
    pipeline = engine.load(engine.prepare("vignette", Precision.FP16))
    names = ("dpmpp_2m:karras", "euler_a", "ddim")
    used = [pipeline.facts(Request(some_job(scheduler=name), (1,))).scheduler for name in names]
    assert used == [
        "DPMSolverMultistepScheduler",
        "EulerAncestralDiscreteScheduler",
        "DDIMScheduler",
    ]
    plain, karras, again = (
        pipeline.render(Request(some_job(scheduler=name), (1,)), no_watch)[0].tobytes()
        for name in ("dpmpp_2m", "dpmpp_2m:karras", "dpmpp_2m")
    )
    assert plain == again != karras


def test_eight_bit_weights_draw_nearly_the_same_picture(
    local_models: LocalModels, model_home: Path
) -> None:
    """Compressed weights are another model on disk, and nearly the same one to the eye."""
    engine = open_engine(WorkerOptions("test"), local_models, model_home)
    pictures = []
    for precision in (Precision.FP16, Precision.INT8_WEIGHTS):
        pipeline = engine.load(engine.prepare("vignette", precision))
        job = some_job(precision=precision, num_inference_steps=12)
        pictures += pipeline.render(Request(job, (1,)), no_watch)
        pipeline.close()
    assert 0 < difference(*pictures) < 8


def test_no_thread_of_an_engine_is_tied_to_one_core(
    local_models: LocalModels, model_home: Path
) -> None:
    """Workers of one machine do not know of each other: bound threads would share a core."""
    engine = open_engine(WorkerOptions("test", threads=1), local_models, model_home)
    pipeline = engine.load(engine.prepare("vignette", Precision.FP16))
    with ThreadPoolExecutor() as pool:
        drawing = pool.submit(pipeline.render, Request(some_job(), (1,)), no_watch)
        seen = {frozenset(os.sched_getaffinity(0))}
        while not drawing.done():
            for thread in Path("/proc/self/task").iterdir():
                with contextlib.suppress(ProcessLookupError):
                    seen.add(frozenset(os.sched_getaffinity(int(thread.name))))
    assert len(seen) == 1


def test_a_model_of_another_revision_is_not_loaded(
    local_models: LocalModels, model_home: Path
) -> None:
    """A key names exact weights; others under the same name are the machine's fault."""
    engine = open_engine(WorkerOptions("test"), local_models, model_home)
    with pytest.raises(EnvironmentFault, match="revision"):
        engine.load(PipelineKey("vignette", "0" * 16, Precision.FP16, "CPU"))
