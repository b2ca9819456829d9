"""Pictures per minute through the farm ÷ the same pipeline called in a bare loop.

Both draw the same pictures with the same settings in turns, so that a noisy machine is noisy for
both. The bare loop neither encodes, nor stores, nor commits anything.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

from winepress import Client, TextToImage
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job
from winepress_shared.lane import Precision
from winepress_shared.settings import default_home
from winepress_worker.conversion.preparation import prepare
from winepress_worker.engines.base import Pipeline, Request
from winepress_worker.engines.openvino import OpenVinoEngine
from winepress_worker.models.local_models import LocalModels

_PICTURES = 20  #: of one round
_ROUNDS = 7
_WAIT_S = 300.0
_JOB = TextToImage(prompt="a red apple on a teal background", num_inference_steps=20, seed=1)


def bare_pipeline() -> Pipeline:
    """The pipeline a worker would load, in this process."""
    home = default_home()
    engine = OpenVinoEngine(
        LocalModels(home, Catalogue.load()), "CPU", home / "blobs", prepare=prepare
    )
    return engine.load(engine.prepare(_JOB.model, Precision.FP16))


def bare_round(pipeline: Pipeline, job: Job) -> float:
    """Seconds for one round of bare calls."""
    began = time.perf_counter()
    for unit in range(_PICTURES):
        seed = job.for_unit(unit).seed or 0
        pipeline.render(Request(job, (seed,)), lambda done, steps: None)
    return time.perf_counter() - began


def one_job_round(client: Client) -> float:
    """Seconds from the submission of one job to its result."""
    began = time.perf_counter()
    client.submit(_JOB.model_copy(update={"n": _PICTURES})).wait(_WAIT_S)
    return time.perf_counter() - began


def many_jobs_round(client: Client) -> float:
    """Seconds from the submission of many jobs of one picture each to the last result."""
    began = time.perf_counter()
    jobs = [_JOB.model_copy(update={"seed": 1 + unit}) for unit in range(_PICTURES)]
    for handle in client.submit_many(jobs):
        handle.wait(_WAIT_S)
    return time.perf_counter() - began


def compare(pipeline: Pipeline, job: Job, workers: int) -> None:
    """Print the ratios for a farm of ``workers``, which share the cores of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        options = FarmOptions(state=Path(folder), workers=workers, flower=False)
        with Farm(options) as farm, Client(farm.settings) as client:
            for _ in range(workers):
                many_jobs_round(client)  # load and warm up
            bare_round(pipeline, job)
            rounds = [
                (bare_round(pipeline, job), one_job_round(client), many_jobs_round(client))
                for _ in range(_ROUNDS)
            ]
    for name, column in (("one job of 20", 1), ("20 jobs of one", 2)):
        ratios = [times[0] / times[column] for times in rounds]
        pace = statistics.median(60 * _PICTURES / times[column] for times in rounds)
        print(
            f"{workers} workers, {name}: farm ÷ bare {statistics.median(ratios):.3f} "
            f"({min(ratios):.3f} to {max(ratios):.3f}), {pace:.0f} pictures/min"
        )
    bare = statistics.median(60 * _PICTURES / times[0] for times in rounds)
    print(f"bare: {bare:.0f} pictures/min")


def main() -> None:
    """Print the ratios of a farm of one worker with all cores, and of one worker per core."""
    pipeline = bare_pipeline()
    for workers in sorted({1, len(os.sched_getaffinity(0))}):
        compare(pipeline, Catalogue.load().resolve(_JOB), workers)


if __name__ == "__main__":
    main()
