"""The trial picture, which every new export and every device must be able to draw."""

from __future__ import annotations

from typing import Any

from PIL import Image

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import parse_job
from winepress_shared.lane import Precision
from winepress_worker.engines.base import Request


def trial_request(catalogue: Catalogue, name: str, precision: Precision, steps: int) -> Request:
    """A fixed request for one picture of the model's default size, for warm-ups and self-tests."""
    kind = catalogue.get(name).kinds[0]
    values: dict[str, Any] = {"kind": kind, "prompt": "a red apple", "model": name}
    values |= {"precision": precision, "num_inference_steps": steps, "seed": 0}
    image = mask = None
    if kind != "text-to-image":
        image = values["image"] = Image.linear_gradient("L").convert("RGB")
        values["strength"] = 1.0
    if image and kind == "inpaint":
        mask = values["mask"] = Image.new("L", image.size, 255)
    return Request(catalogue.resolve(parse_job(values)), (0,), image, mask)
