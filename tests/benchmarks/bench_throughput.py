"""Pictures per minute through the farm ÷ the same pipeline called in a bare loop.

Both draw the same pictures with the same settings in turns, so that a noisy machine is noisy for
both. The bare loop neither makes files, nor stores, nor commits anything.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

from winepress import Client, TextToImage
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job
from winepress_shared.lane import Precision
from winepress_shared.settings import default_home
from winepress_worker.conversion.preparation import prepare
from winepress_worker.device_name import DeviceName
from winepress_worker.engines.base import Pipeline, PipelineKey, Request
from winepress_worker.engines.compiled_parts import CompiledParts
from winepress_worker.engines.openvino import OpenVinoPipeline
from winepress_worker.models.local_models import LocalModels
from winepress_worker.placement import Placement
from winepress_worker.report import ignore_progress

_PICTURES = 20  #: of one round
_ROUNDS = 7
_WAIT_S = 300.0
_JOB = TextToImage(prompt="a red apple on a teal background", num_inference_steps=20, seed=1)
_USERS = ("ada", "bob", "cyd", "dan")


def bare_pipeline(model: str) -> Pipeline:
    """The pipeline a worker would load, in this process; it encodes every text anew."""
    home, catalogue = default_home(), Catalogue.load()
    prepared = prepare(LocalModels(home, catalogue), model, Precision.FP16, ignore_progress)
    place = Placement.of(DeviceName("CPU"))
    parts = CompiledParts(place, home / "blobs", prepared, text_bytes=0)
    kind = catalogue.get(model).kinds[0]
    return OpenVinoPipeline(PipelineKey.of(prepared, "CPU"), prepared, kind, parts)


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


def many_users_round(clients: Sequence[Client]) -> float:
    """The same, with as many jobs of each of several users, who submit in turns."""
    began = time.perf_counter()
    jobs = [_JOB.model_copy(update={"seed": 1 + unit}) for unit in range(_PICTURES)]
    handles = [client.submit(job) for client, job in zip(cycle(clients), jobs, strict=False)]
    for handle in handles:
        handle.wait(_WAIT_S)
    return time.perf_counter() - began


def compare(pipeline: Pipeline, job: Job, workers: int) -> None:
    """Print the ratios for a farm of ``workers``, which share the cores of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        options = FarmOptions(state=Path(folder), workers=workers, flower=False)
        with ExitStack() as stack:
            farm = stack.enter_context(Farm(options))
            named = [farm.settings.model_copy(update={"user": user}) for user in _USERS]
            client, *others = [stack.enter_context(Client(settings)) for settings in named]
            for _ in range(workers):
                many_jobs_round(client)  # load and warm up
            bare_round(pipeline, job)
            rounds = [
                (
                    bare_round(pipeline, job),
                    one_job_round(client),
                    many_jobs_round(client),
                    many_users_round([client, *others]),
                )
                for _ in range(_ROUNDS)
            ]
    cases = ("one job of 20", "20 jobs of one", f"20 jobs of one, {len(_USERS)} users")
    for column, name in enumerate(cases, start=1):
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
    pipeline = bare_pipeline(_JOB.model)
    for workers in sorted({1, len(os.sched_getaffinity(0))}):
        compare(pipeline, Catalogue.load().resolve(_JOB), workers)


if __name__ == "__main__":
    main()
