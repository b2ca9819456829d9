"""The cost of a picture in megapixel-steps, the measure that AI Horde uses."""

from __future__ import annotations

from winepress_shared.jobs.job import Job
from winepress_shared.jobs.shortcuts import Stage, exact_steps, guided_steps

_PIXELS = 1_000_000  #: of a megapixel
SLICE_S = 60.0  #: target time of a slice, by the lane's measured rate
LIMIT_FLOOR_S = 120.0  #: least time limit of a picture
LIMIT_FACTOR = 10  #: time limit ÷ expected time by the measured rate


def megapixel_steps(job: Job) -> float:
    """Cost of one picture of a resolved job.

    With a source picture int(steps × strength) steps run, as in diffusers; a refiner that starts
    from finished latents adds as many. Steps that a step cache predicts cost nothing, and a guided
    picture's steps without guidance cost half.
    """
    steps = sum(_computed_steps(job, stage) for stage in job.stages)
    return (job.width or 0) * (job.height or 0) * steps / _PIXELS


def _computed_steps(job: Job, stage: Stage) -> float:
    exact = exact_steps(stage.steps, job.cache_interval)
    if not job.is_guided:
        return len(exact)
    guided = guided_steps(stage.steps, stage.part_of(job.guided_span))
    return (len(exact) + len(exact.intersection(guided))) / 2


def limit_s(cost: float, rate: float) -> float | None:
    """Time limit in seconds of a picture of ``cost`` megapixel-steps.

    ``rate`` is the measured rate in megapixel-steps per second; None while it is unknown. AI Horde
    also limits by megapixel-steps, with a floor.
    """
    return max(LIMIT_FLOOR_S, LIMIT_FACTOR * cost / rate) if rate else None
