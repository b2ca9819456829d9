"""The trial picture, which every new export and every device must be able to draw."""

from __future__ import annotations

from typing import Any

from PIL import Image

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job
from winepress_shared.lane import Precision
from winepress_worker.engines.base import Request


def trial_request(catalogue: Catalogue, name: str, precision: Precision, steps: int) -> Request:
    """A fixed request for one picture of the model's default size, for warm-ups and self-tests."""
    model = catalogue.get(name)
    kind = Job.kinds[model.kinds[0]]
    # A job is as large as its source picture.
    image = Image.linear_gradient("L").resize((model.width, model.height)).convert("RGB")
    given = {"image": image, "mask": Image.new("L", image.size, 255)}
    pictures = {field: given[field] for field in kind.picture_names}
    values: dict[str, Any] = {"prompt": "a red apple", "model": name, "precision": precision}
    values |= {"num_inference_steps": steps, "seed": 0, **pictures}
    if pictures:
        values["strength"] = 1.0
    return Request(
        catalogue.resolve(kind(**values)), (0,), pictures.get("image"), pictures.get("mask")
    )
