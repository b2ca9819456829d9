"""Requests of small pictures, as every engine is asked for them."""

from __future__ import annotations

from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageStat

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job, parse_job
from winepress_worker.engines.base import Request

SIDE_PX = 256
STEPS = 4
CATALOGUE = Catalogue.load()


def source_picture() -> Image.Image:
    picture = Image.new("RGB", (SIDE_PX, SIDE_PX), "teal")
    ImageDraw.Draw(picture).ellipse((60, 60, 190, 190), fill="red")
    return picture


def right_half() -> Image.Image:
    mask = Image.new("L", (SIDE_PX, SIDE_PX), 0)
    mask.paste(255, (SIDE_PX // 2, 0, SIDE_PX, SIDE_PX))
    return mask


def some_job(**values: Any) -> Job:
    defaults = {"prompt": "a red apple", "num_inference_steps": STEPS, "seed": 1}
    return CATALOGUE.resolve(parse_job(defaults | values))


def image_request(
    strength: float = 0.5, steps: int = STEPS, seeds: tuple[int, ...] = (1,)
) -> Request:
    picture = source_picture()
    job = some_job(
        kind="image-to-image",
        prompt="a green frog",
        image=picture,
        strength=strength,
        num_inference_steps=steps,
    )
    return Request(job, seeds, picture)


def inpaint_request(model: str, seeds: tuple[int, ...] = (1,)) -> Request:
    picture, mask = source_picture(), right_half()
    job = some_job(kind="inpaint", prompt="a green frog", image=picture, mask=mask, model=model)
    return Request(job, seeds, picture, mask)


def no_watch(done: int, total: int) -> None:
    pass


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference, in 8-bit levels."""
    means = ImageStat.Stat(ImageChops.difference(one, other)).mean
    return sum(means) / len(means)
