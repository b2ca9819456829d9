"""What a picture costs, in megapixel-steps: the measure AI Horde uses for work of any size."""

from __future__ import annotations

from collections.abc import Iterable

from winepress_shared.job import ImageToImage, Inpaint, Job, TextToImage
from winepress_shared.ledger_records import Worker

_PIXELS = 1_000_000  #: of a megapixel


def megapixel_steps(job: Job) -> float:
    """Cost of one picture of a resolved job.

    A source picture leaves int(steps × strength) steps to run, as in diffusers; a refiner that
    starts from finished latents adds as many.
    """
    steps = job.num_inference_steps or 1
    if isinstance(job, ImageToImage | Inpaint):
        steps = max(1, int(steps * (job.strength or 1.0)))
    elif isinstance(job, TextToImage) and job.refiner_strength:
        steps += int(steps * job.refiner_strength)
    return (job.width or 0) * (job.height or 0) * steps / _PIXELS


def lane_rate(lane: str, workers: Iterable[Worker]) -> float:
    """Megapixel-steps per second of all ``workers`` that serve ``lane``; 0 when none has measured.

    A worker that serves the lane and has not drawn in it yet counts as one of average pace.
    """
    serving = [worker for worker in workers if lane in worker.facts.get("lanes", ())]
    measured = [worker.renderer.get("megapixel_steps_per_s", {}).get(lane) for worker in serving]
    known = [rate for rate in measured if rate]
    return len(serving) * sum(known) / len(known) if known else 0.0
