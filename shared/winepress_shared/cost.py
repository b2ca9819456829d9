"""What a picture costs, in megapixel-steps: the measure AI Horde uses for work of any size."""

from __future__ import annotations

from winepress_shared.jobs.job import Job

_PIXELS = 1_000_000  #: of a megapixel
SLICE_S = 60.0  #: a slice is sized to about this much work, by the lane's measured pace
LIMIT_FLOOR_S = 120.0  #: no picture is given less time
LIMIT_FACTOR = 10  #: times what the measured pace lets expect


def megapixel_steps(job: Job) -> float:
    """Cost of one picture of a resolved job.

    A source picture leaves int(steps × strength) steps to run, as in diffusers; a refiner that
    starts from finished latents adds as many.
    """
    return (job.width or 0) * (job.height or 0) * job.denoising_steps / _PIXELS


def limit_s(cost: float, rate: float) -> float | None:
    """Longest time in seconds that a picture of ``cost`` megapixel-steps may take.

    ``rate`` is the measured pace in megapixel-steps per second; None while it is unknown. A limit
    by megapixel-steps with a floor is AI Horde's.
    """
    return max(LIMIT_FLOOR_S, LIMIT_FACTOR * cost / rate) if rate else None
