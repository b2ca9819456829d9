"""Inputs of a UNet at work, collected while the model draws by its own steps and guidance."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job
from winepress_shared.model import Model
from winepress_shared.quantisation import Int8Recipe
from winepress_worker.conversion.unet_recorder import watched
from winepress_worker.engines.base import Request, ignore_steps
from winepress_worker.models.manifest import Prepared
from winepress_worker.models.recipe import prompts
from winepress_worker.report import Report

#: Inputs of one call by their names.
Sample = dict[str, np.ndarray[Any, Any]]
#: The same whatever arithmetic a CPU prefers, so that scales differ by rounding alone.
_EXACT = ("f32",)
_SHAPES = 5  #: drawn into a source picture


def collect(model: Model, recipe: Int8Recipe, prepared: Prepared, report: Report) -> list[Sample]:
    """The calls that the recipe wants, some of every picture, at steps chosen by chance.

    ``prepared`` is the model in fp16. Raises what rendering raises.
    """
    calls: list[Sample] = []
    kept: list[Sample] = []

    def hear(inputs: Mapping[str, Any], seconds: float) -> None:
        calls.append({name: np.array(value) for name, value in inputs.items()})

    pipeline = watched(prepared, model.kinds[0], hear, _EXACT)
    try:
        for number, prompt in enumerate(prompts(model)[: recipe.pictures]):
            report(f"drawing picture {number + 1} to learn from", number / recipe.pictures)
            pipeline.render(practice(model, prompt, number), ignore_steps)
            kept += _some(calls, number, recipe)
            calls.clear()
    finally:
        pipeline.close()
    return kept[: recipe.samples]


def practice(model: Model, prompt: str, seed: int, steps: int | None = None) -> Request:
    """A job as people send it: the model's defaults, and a picture where it wants one."""
    kind, size = Job.kinds[model.kinds[0]], (model.width, model.height)
    given = {"image": _scene(seed, size), "mask": _frame(seed, size)}
    pictures = {field: given[field] for field in kind.picture_names}
    values: dict[str, Any] = {"prompt": prompt, "model": model.name, "seed": seed, **pictures}
    values["num_inference_steps"] = steps or model.num_inference_steps
    if pictures:
        values["strength"] = (model.int8 and model.int8.strength) or 1.0
    job = Catalogue({model.name: model}).resolve(kind(**values))
    return Request(job, (seed,), pictures.get("image"), pictures.get("mask"))


def _some(calls: list[Sample], seed: int, recipe: Int8Recipe) -> list[Sample]:
    """As many calls of one picture as make the wanted number over all pictures."""
    count = min(math.ceil(recipe.samples / recipe.pictures), len(calls))
    return random.Random(seed).sample(calls, count)  # noqa: S311


def _scene(seed: int, size: tuple[int, int]) -> Image.Image:
    """A sky, a ground and some shapes, in colours of their own."""
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
    """A mask of everything but a rectangle in the middle, as a zoom paints it."""
    share = random.Random(seed).uniform(0.2, 0.7)  # noqa: S311
    mask = Image.new("L", size, 255)
    inside = [round(side * (1 - share) / 2) for side in size]
    mask.paste(0, (inside[0], inside[1], size[0] - inside[0], size[1] - inside[1]))
    return mask
