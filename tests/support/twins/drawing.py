"""Draws with prepared twins as a worker does, in the arithmetic of what they are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import parse_job
from winepress_worker.conversion.preparation import prepare
from winepress_worker.device_name import DeviceName
from winepress_worker.engines.base import Request
from winepress_worker.engines.openvino import OpenVinoEngine
from winepress_worker.models.local_models import LocalModels
from winepress_worker.pipelines.slice_pipelines import SlicePipelines
from winepress_worker.pipelines.warm_pool import WarmPool
from winepress_worker.placement import Placement

SEED = 11


def exact_engine(local_models: LocalModels, blobs: Path) -> OpenVinoEngine:
    """Computes in 32 bits, as the pipelines do that it is compared with."""
    exact = Placement.of(DeviceName("CPU"), hints=("f32",))
    return OpenVinoEngine(local_models, "CPU", blobs, exact, prepare)


class WarmModels:
    """Draws as a worker does: models stay warm, and a job may have a refiner."""

    def __init__(self, engine: OpenVinoEngine) -> None:
        self.pool = WarmPool(engine, 2**40)  # the catalogue speaks of the full-size models
        self._pipelines = SlicePipelines(engine, self.pool, lambda message: None, lambda: None)

    def draw(self, request: Request) -> Image.Image:
        """The one picture of ``request``."""
        (drawn,) = self._pipelines.render(request, lambda done, total: None)
        return drawn


def text_job(catalogue: Catalogue, **values: Any) -> Request:
    given = {"model": "sdxl-base", "prompt": "a red fox in ink", "negative_prompt": "red ink"}
    return Request(
        catalogue.resolve(parse_job(given | {"steps": 5, "seed": SEED} | values)), (SEED,)
    )


def seeded() -> torch.Generator:
    return torch.Generator("cpu").manual_seed(SEED)
