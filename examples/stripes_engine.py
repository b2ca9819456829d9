"""An engine of your own: a worker that paints stripes in colours that the prompt decides.

All around the picture stays as it is: leases, retries, time limits, storing, counting. What an
engine must offer is in `winepress_worker/engines/base.py`. This one takes most of that, and its
name, from the fake engine: an engine with a name of its own is an entry in the product's table. The
arguments are those of `winepress worker`.
"""

import hashlib
import sys

from PIL import Image

from winepress.cli import main
from winepress_worker.engines import ENGINES
from winepress_worker.engines.base import OnStep, PipelineKey, Request
from winepress_worker.engines.fake import FakeEngine, FakePipeline


class StripesPipeline(FakePipeline):
    """Stands for a compiled model."""

    def render(self, request: Request, on_step: OnStep) -> list[Image.Image]:
        """Draw one picture per seed; each step is told, and may end the call."""
        on_step(1, 1)
        size = (request.job.width or 256, request.job.height or 256)
        drawings = zip(request.seeds, request.texts, strict=True)
        drops = [hashlib.sha256(f"{text}{seed}".encode()).digest() for seed, text in drawings]
        return [Image.frombytes("RGB", (3, 3), drop[:27]).resize(size) for drop in drops]


class StripesEngine(FakeEngine):
    """Loads such pipelines."""

    def load(self, key: PipelineKey) -> FakePipeline:
        """There is nothing to read or compile."""
        return StripesPipeline(key, self._settings, self._sleep)


# The process that draws imports this file again, so the entry must stand outside of the `if` below.
ENGINES["fake"] = lambda options, models, blobs: StripesEngine(device=options.device)

if __name__ == "__main__":
    sys.exit(main(["worker", "--engine", "fake", *sys.argv[1:]]))
