"""Collects UNet inputs while the model draws with its default steps and guidance."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job
from winepress_shared.jobs.quality import Quality
from winepress_shared.model import Model
from winepress_shared.quantisation import Int8Recipe
from winepress_worker.conversion.unet_recorder import recorded_pipeline
from winepress_worker.engines.base import Request, ignore_steps
from winepress_worker.models.manifest import Prepared
from winepress_worker.models.recipe import prompts
from winepress_worker.report import Report

#: Inputs of one call by name.
Sample = dict[str, np.ndarray[Any, Any]]
#: Fixes the arithmetic, so that scales differ between CPUs by rounding alone.
_EXACT = ("f32",)
_SHAPES = 5  #: drawn into a source picture


def collect(model: Model, recipe: Int8Recipe, prepared: Prepared, report: Report) -> list[Sample]:
    """The number of calls that the recipe asks for, from every picture, at random steps.

    ``prepared`` is the model in fp16. Raises what rendering raises.
    """
    calls: list[Sample] = []
    kept: list[Sample] = []

    def record(inputs: Mapping[str, Any], seconds: float) -> None:
        calls.append({name: np.array(value) for name, value in inputs.items()})

    pipeline = recorded_pipeline(prepared, model.kinds[0], record, _EXACT)
    try:
        for number, prompt in enumerate(prompts(model)[: recipe.pictures]):
            report(f"drawing calibration picture {number + 1}", number / recipe.pictures)
            pipeline.render(practice(model, prompt, number), ignore_steps)
            kept += _some(calls, number, recipe)
            calls.clear()
    finally:
        pipeline.close()
    return kept[: recipe.samples]


def practice(
    model: Model,
    prompt: str,
    seed: int,
    steps: int | None = None,
    quality: Quality | None = None,
) -> Request:
    """A typical job: the model's defaults, with a source picture if the kind needs one.

    Of more ``steps`` than given if its strength would leave none of them.
    """
    kind, size = Job.kinds[model.kinds[0]], (model.width, model.height)
    given = {"image": _scene(seed, size), "mask": _frame(seed, size)}
    pictures = {field: given[field] for field in kind.picture_names}
    values: dict[str, Any] = {"prompt": prompt, "model": model.name, "seed": seed, **pictures}
    strength = (model.int8 and model.int8.strength) or 1.0
    if pictures:
        values["strength"] = strength
    least = math.ceil(1 / strength) if pictures else 1
    steps = max(steps or model.num_inference_steps, least)
    values |= {"num_inference_steps": steps, "quality": quality}
    alone = model.model_copy(update={"refiners": ()})  # which this job does without
    job = Catalogue({model.name: alone}).resolve(kind(**values))
    return Request(job, (seed,), pictures.get("image"), pictures.get("mask"))


def _some(calls: list[Sample], seed: int, recipe: Int8Recipe) -> list[Sample]:
    """A random selection of one picture's calls: its share of the recipe's total."""
    count = min(math.ceil(recipe.samples / recipe.pictures), len(calls))
    return random.Random(seed).sample(calls, count)  # noqa: S311


def _scene(seed: int, size: tuple[int, int]) -> Image.Image:
    """A picture of sky, ground and some shapes in random colours."""
    chance = random.Random(seed)  # noqa: S311

    def colour() -> tuple[int, int, int]:
        return (chance.randrange(256), chance.randrange(256), chance.randrange(256))

    slope = Image.linear_gradient("L").resize(size)
    picture = Image.composite(
        Image.new("RGB", size, colour()), Image.new("RGB", size, colour()), slope
    )
    pen = ImageDraw.Draw(picture)
    for number in range(_SHAPES):
        x, y = chance.randrange(size[0]), chance.randrange(size[1])
        half = chance.randint(size[0] // 12, size[0] // 4)
        draw = pen.ellipse if number % 2 else pen.rectangle
        draw((x - half, y - half, x + half, y + half), fill=colour())
    return picture


def _frame(seed: int, size: tuple[int, int]) -> Image.Image:
    """A mask of everything but a rectangle in the middle, as zooms use it."""
    share = random.Random(seed).uniform(0.2, 0.7)  # noqa: S311
    mask = Image.new("L", size, 255)
    inside = [round(side * (1 - share) / 2) for side in size]
    mask.paste(0, (inside[0], inside[1], size[0] - inside[0], size[1] - inside[1]))
    return mask
