"""An engine of your own, which paints stripes in colours that the prompt decides.

A worker draws with it after `winepress worker --engine stripes=stripes_engine:StripesEngine`, where
Python finds this file. A package that is installed can give its engine a name instead: an entry
point of the group `winepress.engines`, here `stripes = "stripes_engine:StripesEngine"`; then
`--engine stripes` is enough.

All around the picture stays as it is: leases, retries, time limits, storing, counting. What an
engine must offer is in `winepress_worker/engines/base.py`; this one takes most of it from the fake.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

from PIL import Image

from winepress_shared.metadata import PictureFacts
from winepress_worker.engines.base import OnStep, PipelineKey, Request
from winepress_worker.engines.fake import FakeEngine, FakePipeline
from winepress_worker.models.local_models import LocalModels
from winepress_worker.options import WorkerOptions


class StripesPipeline(FakePipeline):
    """Stands for a compiled model."""

    def render(self, request: Request, on_step: OnStep) -> list[Image.Image]:
        """Draw one picture per seed; each step is told, and may end the call."""
        on_step(1, 1)
        size = (request.job.width or 256, request.job.height or 256)
        drawings = zip(request.seeds, request.texts, strict=True)
        drops = [hashlib.sha256(f"{text}{seed}".encode()).digest() for seed, text in drawings]
        return [Image.frombytes("RGB", (3, 3), drop[:27]).resize(size) for drop in drops]

    def facts(self, request: Request) -> PictureFacts:
        """What every picture says of how it was made."""
        return replace(super().facts(request), engine="stripes 1.0")


class StripesEngine(FakeEngine):
    """Loads such pipelines."""

    def __init__(self, options: WorkerOptions, models: LocalModels, blobs: Path) -> None:
        """``models`` are those prepared here, ``blobs`` is a folder for compiled ones."""
        super().__init__(device=options.device)

    def load(self, key: PipelineKey) -> FakePipeline:
        """There is nothing to read or compile."""
        return StripesPipeline(key, self._settings, self._sleep)
