"""Submission → first step on an idle warm worker, beside the bare pipeline's first step."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from bench_throughput import bare_pipeline

from winepress import Client, TextToImage
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_shared.catalogue import Catalogue
from winepress_worker.engines.base import Pipeline, Request

_ROUNDS = 40
_WAIT_S = 300.0
_JOB = TextToImage(prompt="a red apple on a teal background", num_inference_steps=4, seed=1)


def bare_first_step(pipeline: Pipeline) -> float:
    """Seconds from the call to the end of the first step."""
    first: list[float] = []
    began = time.perf_counter()
    pipeline.render(
        Request(Catalogue.load().resolve(_JOB), (1,)),
        lambda done, steps: first.append(time.perf_counter() - began),
    )
    return first[0]


def farm_first_step(client: Client) -> float:
    """Seconds from the submission to the first step that is told, by the broker's clock (1 ms).

    Somebody watches from the submission on, as steps are told to nobody else.
    """
    began = time.time()
    handle = client.submit(_JOB)
    first = next(event.at for event in handle.events() if event.name == "progress") - began
    handle.wait(_WAIT_S)
    return first


def main() -> None:
    """Print the medians and their difference."""
    pipeline = bare_pipeline(_JOB.model)
    with tempfile.TemporaryDirectory() as folder:
        options = FarmOptions(state=Path(folder), workers=1, flower=False)
        with Farm(options) as farm, Client(farm.settings) as client:
            farm_first_step(client)
            bare_first_step(pipeline)
            pairs = [(bare_first_step(pipeline), farm_first_step(client)) for _ in range(_ROUNDS)]
    bare, farmed = (statistics.median(pair[side] for pair in pairs) * 1000 for side in (0, 1))
    print(
        f"first step: bare {bare:.1f} ms, farm {farmed:.1f} ms, difference {farmed - bare:.1f} ms"
    )


if __name__ == "__main__":
    main()
