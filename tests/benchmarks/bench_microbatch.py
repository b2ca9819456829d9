"""Pictures per minute of one pipeline at 1, 2 and 4 pictures a call, and whether they are the same.

The sizes take turns in every round, so that a noisy machine is noisy for all of them.
"""

from __future__ import annotations

import statistics
import time

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job, TextToImage
from winepress_shared.lane import Precision
from winepress_shared.settings import default_home
from winepress_worker.conversion.preparation import prepare
from winepress_worker.engines.base import Pipeline, Request, ignore_steps
from winepress_worker.engines.openvino import OpenVinoEngine
from winepress_worker.models.local_models import LocalModels

_PICTURES = 8  #: of one round
_ROUNDS = 5
_BATCHES = (1, 2, 4)  #: pictures in one call
_JOB = TextToImage(prompt="a red apple on a teal background", num_inference_steps=20, seed=1)


def draw(pipeline: Pipeline, job: Job, batch: int) -> tuple[float, list[bytes]]:
    """Seconds for one round, and the pixels of its pictures."""
    pictures = []
    began = time.perf_counter()
    for first in range(0, _PICTURES, batch):
        pictures += pipeline.render(Request(job, tuple(range(first, first + batch))), ignore_steps)
    return time.perf_counter() - began, [picture.tobytes() for picture in pictures]


def main() -> None:
    """Print the paces, their ratios to single calls, and how many pictures have other bytes."""
    home = default_home()
    engine = OpenVinoEngine(
        LocalModels(home, Catalogue.load()), "CPU", home / "blobs", prepare=prepare
    )
    pipeline = engine.load(engine.prepare(_JOB.model, Precision.FP16))
    job = Catalogue.load().resolve(_JOB)
    for batch in _BATCHES:
        draw(pipeline, job, batch)  # a shape met for the first time is compiled
    rounds = [{batch: draw(pipeline, job, batch) for batch in _BATCHES} for _ in range(_ROUNDS)]
    for batch in _BATCHES:
        paces = [60 * _PICTURES / one[batch][0] for one in rounds]
        gains = [one[1][0] / one[batch][0] for one in rounds]
        pairs = zip(rounds[0][batch][1], rounds[0][1][1], strict=True)
        others = sum(mine != alone for mine, alone in pairs)
        print(
            f"{batch} a call: {statistics.median(paces):.0f} pictures/min, "
            f"÷ single {statistics.median(gains):.3f} ({min(gains):.3f} to {max(gains):.3f}), "
            f"{others} of {_PICTURES} with other bytes than alone"
        )


if __name__ == "__main__":
    main()
