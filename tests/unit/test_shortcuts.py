"""Which steps are computed and which are guided, and what is said of a wish that has no effect."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from winepress.job_files.written_job import read_fields
from winepress_shared.catalogue import Catalogue
from winepress_shared.cost import megapixel_steps
from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.job import Job, parse_job
from winepress_shared.jobs.shortcuts import (
    LAST_EXACT,
    MOST_UNCACHED,
    Stage,
    exact_steps,
    guided_steps,
)
from winepress_shared.jobs.zoom import ZoomVideo

CATALOGUE = Catalogue.load()
REFINED = {"model": "sdxl-base", "refiner": "sdxl-refiner", "num_inference_steps": 30}
IMAGE = {"kind": "image-to-image", "image": Image.new("RGB", (256, 256))}


def resolve(**values: Any) -> Job:
    return CATALOGUE.resolve(parse_job({"prompt": "a fox", "num_inference_steps": 20} | values))


def warnings(**values: Any) -> tuple[str, ...]:
    return CATALOGUE.warnings(resolve(**values))


@pytest.mark.parametrize(("interval", "computed"), [(1, 20), (2, 11), (3, 8), (4, 7)])
def test_one_step_of_the_interval_is_computed(interval: int, computed: int) -> None:
    """Beside the first and the last ones."""
    assert len(exact_steps(20, interval)) == computed


@given(total=st.integers(1, 200), interval=st.integers(1, 8))
def test_the_first_and_the_last_steps_are_always_computed(total: int, interval: int) -> None:
    """And never more than interval - 1 in a row are predicted."""
    exact = sorted(exact_steps(total, interval))
    assert {0, *range(max(0, total - LAST_EXACT), total)} <= {*exact}
    assert all(after - before <= interval for before, after in pairwise(exact))
    assert exact[-1] == total - 1
    if total <= MOST_UNCACHED or interval == 1:
        assert exact == [*range(total)]


@pytest.mark.parametrize(
    ("span", "guided"),
    [
        ((0.0, 1.0), range(20)),
        ((0.0, 0.5), range(10)),
        ((0.2, 0.85), range(4, 17)),
        ((0.29, 0.31), range(5, 6)),
        ((0.51, 0.54), range(10, 10)),
    ],
)
def test_guided_steps_are_rounded_down_as_in_diffusers(
    span: tuple[float, float], guided: range
) -> None:
    """The first one is guided at a start of 0, the last one at a stop of 1."""
    assert guided_steps(20, span) == guided


def test_a_share_that_is_a_whole_step_is_that_step() -> None:
    """0.29 × 100 is 28.999999999999996 in floating point."""
    assert guided_steps(100, (0.29, 0.57)) == range(29, 57)


def test_two_models_share_the_span_of_one_picture() -> None:
    """The fractions are of the whole picture, and each model sees its part of them."""
    base, refiner = resolve(**REFINED).stages
    assert (base, refiner) == (Stage(24, 0.0, 0.8), Stage(6, 0.8, 1.0))
    assert base.part_of((0.0, 0.4)) == (0.0, 0.5)
    assert refiner.part_of((0.0, 0.4)) == (0.0, 0.0)
    assert refiner.part_of((0.1, 0.9)) == pytest.approx((0.0, 0.5))


def test_a_refiner_that_noises_anew_has_a_span_of_its_own() -> None:
    """It draws a picture of its own steps."""
    stages = resolve(**REFINED, refiner_strength=0.3).stages
    assert stages == (Stage(30), Stage(9))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"step_cache": "light", "step_cache_interval": 2}, "cannot be combined with step_cache"),
        ({"step_cache": "off", "step_cache_interval": 2}, "cannot be combined with step_cache"),
        ({"guidance_start": 0.5, "guidance_stop": 0.5}, r"below guidance_stop.*less than 0\.5"),
    ],
)
def test_wishes_that_contradict_are_refused(values: dict[str, Any], problem: str) -> None:
    """With what is allowed."""
    with pytest.raises(InvalidJob, match=problem):
        resolve(**values)


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        (
            {"step_cache": "light", "num_inference_steps": 8},
            "step_cache is ignored: it has no effect at 8 steps, only above 8",
        ),
        (
            {"step_cache_interval": 3, "strength": 0.4, **IMAGE},
            "step_cache_interval is ignored: it has no effect at 8 steps, only above 8",
        ),
        (
            {"step_cache": "light", "scheduler": "Heun", "num_inference_steps": 4},
            "step_cache is ignored: it has no effect at 4 steps, only above 4",
        ),
        (
            {"step_cache": "light", "scheduler": "PLMS", "num_inference_steps": 7},
            "step_cache is ignored: it has no effect at 7 steps, only above 7",
        ),
        (
            {"step_cache": "light", "scheduler": "LMS Karras"},
            "step_cache is ignored: the steps of lms:karras cannot be predicted well",
        ),
        (
            {"step_cache": "strong", "scheduler": "Euler a"},
            "step_cache is reduced: with euler_a one step of 2 is computed, because one of 3 would "
            "draw another picture",
        ),
        (
            {"guidance_stop": 0.5, "guidance_scale": 1},
            "guidance_stop is ignored: it has no effect at guidance_scale 1, only above 1",
        ),
        (
            {"guidance_start": 0.5, "model": "lcm-ssd-1b", "num_inference_steps": 4},
            "guidance_start is ignored: lcm-ssd-1b takes the guidance as an input in every step",
        ),
        (
            {"guidance_start": 0.51, "guidance_stop": 0.54},
            "no step is guided: none lies between guidance_start 0.51 and guidance_stop 0.54",
        ),
    ],
)
def test_a_wish_without_effect_is_told(values: dict[str, Any], warning: str) -> None:
    """In one sentence, with the reason."""
    assert warnings(**values) == (warning,)


@pytest.mark.parametrize(
    "values",
    [
        {"step_cache": "off", "num_inference_steps": 4},
        {"step_cache": "light"},
        {"step_cache": "strong", "scheduler": "DPM++ 2M"},
        {"step_cache": "light", "scheduler": "Heun", "num_inference_steps": 5},
        {"step_cache": "light", **REFINED},
        {"guidance_stop": 0.5},
        {"guidance_start": 0.9, **REFINED},
    ],
)
def test_a_wish_with_effect_needs_no_words(values: dict[str, Any]) -> None:
    """A refined picture has it if one of the two models has."""
    assert warnings(**values) == ()


def test_predicted_steps_cost_nothing_and_unguided_ones_half() -> None:
    """So that what is said of waiting, and what keys may spend, is true."""
    full = megapixel_steps(resolve())
    assert megapixel_steps(resolve(step_cache="light")) == pytest.approx(full * 11 / 20)
    assert megapixel_steps(resolve(guidance_stop=0.5)) == pytest.approx(full * 15 / 20)
    both = resolve(step_cache="light", guidance_stop=0.5)
    assert megapixel_steps(both) == pytest.approx(full * (5 + 6 / 2) / 20)
    assert megapixel_steps(resolve(step_cache="light", scheduler="LCM")) == pytest.approx(full)


def test_every_key_frame_is_drawn_with_the_shortcuts_of_its_zoom() -> None:
    """The first one too, which another model draws."""
    given: dict[str, Any] = {"step_cache": "light", "guidance_start": 0.1, "guidance_stop": 0.6}
    zoom = CATALOGUE.resolve(ZoomVideo(prompt="a valley", key_frames=2, **given))
    assert isinstance(zoom, ZoomVideo)
    for drawing in (zoom.first_drawing(), zoom.drawing_of(1)):
        assert given.items() <= drawing.model_dump(mode="json").items()


@pytest.mark.parametrize("is_inside", [True, False])
@pytest.mark.parametrize("is_for_all", [True, False])
def test_settings_that_leave_out_the_negative_prompt_are_fields_of_ours(
    is_inside: bool, is_for_all: bool
) -> None:
    """Beside the fields or among the settings; A1111 goes by every second step unless told."""
    settings = {"skip_early_cond": 0.25, "s_min_uncond": 1.5}
    switch = {"s_min_uncond_all": True} if is_for_all else {}
    body = {"prompt": "a fox", "override_settings": switch | (settings if is_inside else {})}
    fields, warnings = read_fields(body if is_inside else body | settings)
    job = parse_job(fields)
    assert (job.guidance_start, job.guidance_min_sigma) == (0.25, 1.5)
    wanted = "s_min_uncond is taken for all steps, not for every second one"
    assert warnings == ([] if is_for_all else [wanted])
