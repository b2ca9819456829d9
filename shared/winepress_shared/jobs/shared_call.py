"""Which pictures may be drawn in one call of a pipeline, and how many a job asks for."""

from __future__ import annotations

from winepress_shared.jobs.job import Job
from winepress_shared.model import Model

LEAST_CALLS = 4  #: a job of fewer full calls is spread over workers picture by picture


def are_alike(first: Job, other: Job) -> bool:
    """Whether two jobs differ in nothing but their texts and seeds.

    With an empty negative prompt some models are guided by zeros, so both have one, or none.
    """
    if bool(first.negative_prompt) != bool(other.negative_prompt):
        return False
    own = {"prompt": first.prompt, "negative_prompt": first.negative_prompt, "seed": first.seed}
    return other.model_copy(update=own) == first


def call_of(model: Model, job: Job) -> int | None:
    """How many pictures of a resolved ``job`` are drawn in one call, unless it says so itself."""
    number = model.pictures_per_call
    if job.pictures_per_call is not None or number == 1 or why_no_call(model, job):
        return job.pictures_per_call
    return number if job.n >= LEAST_CALLS * number and job.preview_every is None else None


def why_no_call(model: Model, job: Job) -> str | None:
    """Why each picture of a resolved ``job`` has a call of its own; None when calls are shared."""
    if not job.is_picture:
        return f"{job.kind} shares no calls"
    if job.refinement:
        return "pictures finished by a refiner share no calls"
    if (job.width or 0) * (job.height or 0) > model.width * model.height:
        return f"pictures larger than {model.width}x{model.height} share no calls"
    return None
