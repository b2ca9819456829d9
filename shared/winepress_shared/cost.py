"""The cost of a picture in megapixel-steps, the measure that AI Horde uses."""

from __future__ import annotations

from winepress_shared.jobs.job import Job

_PIXELS = 1_000_000  #: of a megapixel
SLICE_S = 60.0  #: target time of a slice, by the lane's measured rate
LIMIT_FLOOR_S = 120.0  #: least time limit of a picture
LIMIT_FACTOR = 10  #: time limit ÷ expected time by the measured rate


def megapixel_steps(job: Job) -> float:
    """Cost of one picture of a resolved job.

    With a source picture int(steps × strength) steps run, as in diffusers; a refiner that starts
    from finished latents adds as many.
    """
    return (job.width or 0) * (job.height or 0) * job.denoising_steps / _PIXELS


def limit_s(cost: float, rate: float) -> float | None:
    """Time limit in seconds of a picture of ``cost`` megapixel-steps.

    ``rate`` is the measured rate in megapixel-steps per second; None while it is unknown. AI Horde
    also limits by megapixel-steps, with a floor.
    """
    return max(LIMIT_FLOOR_S, LIMIT_FACTOR * cost / rate) if rate else None
